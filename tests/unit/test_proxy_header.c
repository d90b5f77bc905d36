/* lib/address/proxy_header: what haproxy's proxy-protocol.txt, section 2, allows and forbids. */
#include "address/proxy_header.h"

#include "address/endpoint.h"
#include "base/buf.h"
#include "base/error.h"
#include "tap.h"

#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static enum proxy_result last;
static struct proxy_header header;
static size_t used;
static const char *why;

static enum proxy_result read_bytes(const void *bytes, size_t length)
{
	used = 0;
	why = NULL;
	last = proxy_header_read(bytes, length, &header, &used, &why);
	return last;
}

#define READ(literal) read_bytes(literal, sizeof(literal) - 1)

/* `source > destination` of what was read, or what else it was. */
static const char *told(void)
{
	static char text[256];
	struct buf b = {0};

	if (last != PROXY_WHOLE)
		return last == PROXY_PARTIAL ? "partial" : "wrong";
	if (!header.has_ends)
		return "not told";
	buf_add_text(&b, address_text(&header.source).text);
	buf_add_text(&b, " > ");
	buf_add_text(&b, address_text(&header.destination).text);
	snprintf(text, sizeof text, "%s", b.data);
	buf_free(&b);
	return text;
}

/* Every part of a right header is a partial one, and what follows is not its own. */
static void check_pieces(const char *bytes, size_t length, const char *name)
{
	char more[1024];
	size_t partial = 0;

	for (size_t n = 0; n < length; n++)
		partial += read_bytes(bytes, n) == PROXY_PARTIAL;
	SAME(partial, length, "%s: each beginning of it is right so far", name);
	memcpy(more, bytes, length);
	memset(more + length, '\r', 100);
	read_bytes(more, length + 100);
	SAME(used, length, "%s: it ends where it ends", name);
}

static void test_v1(void)
{
	static const char longest[] = "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
				      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
	static const char unknown[] = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
				      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";

	READ("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n");
	SAME_TEXT(told(), "192.168.0.1:56324 > 192.168.0.11:443", "v1 tells IPv4");
	READ("PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n");
	SAME_TEXT(told(), "[2001:db8::1]:0 > [::1]:65535", "v1 tells IPv6");
	READ("PROXY TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 1 2\r\n");
	SAME_TEXT(told(), "1.2.3.4:1 > 5.6.7.8:2", "mapped addresses are IPv4");
	READ("PROXY UNKNOWN\r\n");
	SAME_TEXT(told(), "not told", "v1 UNKNOWN tells nothing");
	READ("PROXY UNKNOWN anything  at all\r\n");
	SAME_TEXT(told(), "not told", "what follows UNKNOWN is ignored");
	SAME(sizeof unknown - 1, PROXY_V1_MOST, "the longest one is as long as the protocol says");
	check_pieces(longest, sizeof longest - 1, "the longest TCP6");
	check_pieces(unknown, sizeof unknown - 1, "the longest UNKNOWN");
}

static void test_wrong_v1(void)
{
	static const char *const lines[] = {
	    "GET / HTTP/1.1\r\n\r\n",
	    "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
	    "PROXY\r\n",
	    "PROXY \r\n",
	    "PROXY TCP4\r\n",
	    "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
	    "PROXY UNKNOWNS\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
	    "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
	    "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
	    "PROXY TCP4\t1.2.3.4 1.2.3.4 1 2\r\n",
	    "PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
	    "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
	    "PROXY TCP4 1.2.3.400 1.2.3.4 1 2\r\n",
	    "PROXY TCP4 ::1 ::1 1 2\r\n",
	    "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
	    "PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 99999999999 2\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rx",
	    "PROXY UNKNOWN\nPROXY UNKNOWN\r\n",
	};
	char endless[PROXY_V1_MOST + 1];

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		read_bytes(lines[i], strlen(lines[i]));
		SAME_TEXT(told(), "wrong", "wrong: %.*s", (int)strcspn(lines[i], "\r\n"), lines[i]);
		OK(why, "and it is told why");
	}
	READ("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n");
	SAME_TEXT(told(), "wrong", "wrong: a NUL in the line");
	memset(endless, 'x', sizeof endless);
	memcpy(endless, "PROXY UNKNOWN ", 14);
	SAME(read_bytes(endless, PROXY_V1_MOST - 1), PROXY_PARTIAL, "106 bytes may go on");
	SAME(read_bytes(endless, PROXY_V1_MOST), PROXY_WRONG, "107 bytes without an end may not");
	memcpy(endless + PROXY_V1_MOST - 1, "\r\n", 2);
	SAME(read_bytes(endless, sizeof endless), PROXY_WRONG, "nor 108 bytes with one");
}

static void test_v2(void)
{
	static const char tlv[] = SIGNATURE "\x21\x11\0\x11\1\2\3\4\5\6\7\x8\0\x50\1\xbb\4\0\2xy";
	char path[16 + 216] = {0};

	READ(SIGNATURE "\x21\x11\0\x0c\1\2\3\4\5\6\7\x8\0\x50\1\xbb");
	SAME_TEXT(told(), "1.2.3.4:80 > 5.6.7.8:443", "v2 tells IPv4");
	READ(SIGNATURE "\x21\x21\0\x24"
		       "\x20\x01\r\xb8"
		       "\0\0\0\0\0\0\0\0\0\0\0\1"
		       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
		       "\0\x50\1\xbb");
	SAME_TEXT(told(), "[2001:db8::1]:80 > [::1]:443", "v2 tells IPv6");
	READ(SIGNATURE "\x21\x12\0\x0c\1\2\3\4\5\6\7\x8\0\x50\1\xbb");
	SAME_TEXT(told(), "1.2.3.4:80 > 5.6.7.8:443", "datagrams have addresses as well");
	memcpy(path, SIGNATURE "\x21\x31\0\xd8/run/one", 24);
	memcpy(path + 16 + 108, "\0two", 4);
	read_bytes(path, sizeof path);
	SAME_TEXT(told(), "unix:/run/one > unix:@two", "v2 tells Unix paths");
	memset(path + 16, 'p', 108);
	read_bytes(path, sizeof path);
	SAME(strlen(told()), strlen("unix: > unix:@two") + 108, "a path may fill its field");
	READ(SIGNATURE "\x20\x11\0\x0c\1\2\3\4\5\6\7\x8\0\x50\1\xbb");
	SAME_TEXT(told(), "not told", "LOCAL tells nothing");
	READ(SIGNATURE "\x20\xff\0\0");
	SAME_TEXT(told(), "not told", "the family of LOCAL is ignored");
	READ(SIGNATURE "\x21\0\0\3abc");
	SAME_TEXT(told(), "not told", "UNSPEC tells nothing, and has its length");
	SAME(used, 19, "which is skipped");
	READ(SIGNATURE "\x21\x10\0\x0c\1\2\3\4\5\6\7\x8\0\x50\1\xbb");
	SAME_TEXT(told(), "not told", "nor does a family without a transport");
	check_pieces(tlv, sizeof tlv - 1, "v2 with a TLV");
	check_pieces(path, sizeof path, "v2 of Unix sockets");
}

static void test_wrong_v2(void)
{
	READ(SIGNATURE "\x11");
	SAME_TEXT(told(), "wrong", "wrong: another version");
	READ(SIGNATURE "\x22");
	SAME_TEXT(told(), "wrong", "wrong: another command");
	READ(SIGNATURE "\x21\x41\0\0");
	SAME_TEXT(told(), "wrong", "wrong: another family");
	READ(SIGNATURE "\x21\x13\0\x0c");
	SAME_TEXT(told(), "wrong", "wrong: another transport");
	READ(SIGNATURE "\x21\x11\0\x0b");
	SAME_TEXT(told(), "wrong", "wrong: too short for IPv4");
	READ(SIGNATURE "\x21\x21\0\x23");
	SAME_TEXT(told(), "wrong", "wrong: too short for IPv6");
	READ(SIGNATURE "\x21\x31\0\xd7");
	SAME_TEXT(told(), "wrong", "wrong: too short for Unix sockets");
	READ(SIGNATURE "\x21\x11\xff\xff");
	SAME_TEXT(told(), "wrong", "wrong: longer than we read");
	READ("\r\n\r\n\0\r\nQUIX");
	SAME_TEXT(told(), "wrong", "wrong: almost the signature");
}

static void round_trip(int version, const char *from, const char *to, const char *wanted)
{
	struct endpoint ends[2] = {0};
	struct address a[2];
	char bytes[PROXY_HEADER_ROOM];
	struct error e;
	size_t n;

	endpoint_parse(&ends[0], from, &e);
	endpoint_parse(&ends[1], to, &e);
	endpoint_addresses(&ends[0], &a[0], 1);
	endpoint_addresses(&ends[1], &a[1], 1);
	n = proxy_header_write(version, &a[0], &a[1], bytes);
	read_bytes(bytes, n);
	SAME_TEXT(told(), wanted, "v%d from %s to %s is read as it was written", version, from, to);
	SAME(used, n, "and is all there is");
	endpoint_release(&ends[0]);
	endpoint_release(&ends[1]);
}

static void test_writing(void)
{
	char bytes[PROXY_HEADER_ROOM];

	for (int version = 1; version <= 2; version++) {
		round_trip(version, "1.2.3.4:5", "6.7.8.9:10", "1.2.3.4:5 > 6.7.8.9:10");
		round_trip(version, "[2001:db8::1]:5", "[::1]:65535",
			   "[2001:db8::1]:5 > [::1]:65535");
		/* Of two families both become IPv6, and are read as what they are. */
		round_trip(version, "1.2.3.4:5", "[::1]:6", "1.2.3.4:5 > [::1]:6");
		round_trip(version, "[::1]:6", "1.2.3.4:5", "[::1]:6 > 1.2.3.4:5");
		round_trip(version, "vsock:3:5", "vsock:4:6", "not told");
		read_bytes(bytes, proxy_header_write(version, NULL, NULL, bytes));
		SAME_TEXT(told(), "not told", "v%d without addresses tells none", version);
	}
	round_trip(1, "unix:/a", "unix:/b", "not told");
	round_trip(2, "unix:/a", "unix:@b", "unix:/a > unix:@b");
	SAME(proxy_header_write(1, NULL, NULL, bytes), 15, "v1 UNKNOWN is one line");
	OK(memcmp(bytes, "PROXY UNKNOWN\r\n", 15) == 0, "the one of the protocol");
}

int main(void)
{
	test_v1();
	test_wrong_v1();
	test_v2();
	test_wrong_v2();
	test_writing();
	return tap_done();
}
