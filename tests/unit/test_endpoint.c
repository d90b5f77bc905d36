/* Endpoint words and addresses as text. */
#include "address/endpoint.h"

#include "base/buf.h"
#include "base/error.h"
#include "tap.h"

#include <stddef.h>
#include <stdlib.h>

/* What endpoint_parse makes of `word`, written again; "error:COLUMN" where it refuses. */
static const char *again(const char *word)
{
	static char text[512];
	struct endpoint ep;
	struct error e;

	error_clear(&e);
	if (endpoint_parse(&ep, word, &e) < 0) {
		snprintf(text, sizeof text, "error:%d", e.column);
		return text;
	}
	snprintf(text, sizeof text, "%s", ep.word);
	endpoint_release(&ep);
	return text;
}

static const char *addresses(const char *word)
{
	static char text[512];
	struct endpoint ep;
	struct address a[4];
	struct error e;
	struct buf out = {0};

	if (endpoint_parse(&ep, word, &e) < 0)
		return "error";
	buf_add_text(&out, "");
	for (int i = 0, n = endpoint_addresses(&ep, a, 4); i < n; i++) {
		if (i)
			buf_add_char(&out, ' ');
		buf_add_text(&out, address_text(&a[i]).text);
	}
	snprintf(text, sizeof text, "%s", out.data);
	buf_free(&out);
	endpoint_release(&ep);
	return text;
}

static void test_words(void)
{
	static const char *const same[] = {
	    "7000",        "0",          "db:5432",           "127.0.0.1:80",        "[::1]:80",
	    "*:80",        "udp:53",     "udp:*:53",          "udp:[2001:db8::1]:1", "unix:/run/x",
	    "unix:./a:b",  "unix:@name", "vsock:2:1024",      "vsock:*:1024",        "fd:3",
	    "systemd:web", "udp:a.b:9",  "[::ffff:1.2.3.4]:5"};

	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		SAME_TEXT(again(same[i]), same[i], "%s is read and written alike", same[i]);
	SAME_TEXT(again("ssh"), "22", "a service name stands for its port");
	SAME_TEXT(again("db:ssh"), "db:22", "and behind a host too");
	SAME_TEXT(again("udp:domain"), "udp:53", "and for UDP");
}

static void test_refused(void)
{
	static const struct {
		const char *word;
		const char *result, *why;
	} wrong[] = {
	    {"", "error:0", "the empty word"},
	    {"70000", "error:0", "a port above 65535"},
	    {"99999999999999999999", "error:0", "a port beyond any integer"},
	    {"-1", "error:0", "a negative port"},
	    {"nosuchservice", "error:0", "an unknown service"},
	    {"host:", "error:5", "a missing port"},
	    {":80", "error:0", "a missing host"},
	    {"host:80x", "error:5", "trailing garbage"},
	    {"8080:80", "error:0", "a port in place of the host"},
	    {"::1:80", "error:0", "IPv6 without brackets"},
	    {"[::1]", "error:5", "brackets without a port"},
	    {"[::1:80", "error:0", "an open bracket"},
	    {"a:b:80", "error:3", "a colon too many"},
	    {"[fe80::1%no-such-one]:80", "error:9", "a zone that is not there"},
	    {"[fe80::1]:80", "error:8", "a link-local address without its zone"},
	    {"[db]:80", "error:1", "a name in brackets"},
	    {"[1.2.3.4]:80", "error:1", "IPv4 in brackets"},
	    {"[]:80", "error:1", "empty brackets"},
	    {"a b:80", "error:1", "a blank in a host"},
	    {"unix:", "error:5", "no path"},
	    {"unix:@", "error:5", "no abstract name"},
	    {"vsock:2", "error:6", "vsock without a port"},
	    {"vsock:x:1", "error:6", "vsock with a name"},
	    {"vsock:1:4294967296", "error:8", "a vsock port that is too large"},
	    {"fd:", "error:3", "no descriptor"},
	    {"fd:x", "error:3", "a descriptor that is no number"},
	    {"systemd:", "error:8", "no name"},
	    {"udp:", "error:4", "no port"},
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		SAME_TEXT(again(wrong[i].word), wrong[i].result, "%s is refused at its place",
			  wrong[i].why);
}

/* Words that people do write, and the cure that each is told. */
static void test_cures(void)
{
	static const struct {
		const char *word, *hint;
	} cures[] = {
	    {"localhost", "if it is a host, write localhost:PORT"},
	    {"127.0.0.1", "if it is a host, write 127.0.0.1:PORT"},
	    {"udp:db", "if it is a host, write udp:db:PORT"},
	    {"*", "every address needs a port, too: *:PORT"},
	    {"70000", ""},
	    {"/run/x", "a Unix socket is written unix:/run/x"},
	    {"::1", "as in [::1]:PORT"},
	    {"fe80::1%eth0", "as in [fe80::1%eth0]:PORT"},
	    {"::1:80", "as in [::1]:80"},
	    {"[fe80::1%no-such-one]:80", "`ip link` lists those there are"},
	    {"[fe80::1]:80", "as in [fe80::1%eth0]:80; `ip link` lists those there are"},
	    {":80",
	     "write 80 for this machine, HOST:80 for another; to listen on every address, *:80"},
	    {"http://db:80/", "HOST:PORT, without http://"},
	    {"tcp:db:80", "write db:80"},
	    {"TCP-LISTEN:80,fork", "write *:80; 80 listens on this machine only"},
	    {"UNIX-LISTEN:/run/x,mode=600", "write unix:/run/x"},
	    {"EXEC:cat", "a command comes after --: -- cat"},
	    {"HTTP://web:80", "HOST:PORT, without HTTP://"},
	    {"UDP-LISTEN:80", "write udp:*:80; udp:80 listens on this machine only"},
	    {"TCP:db:80", "write db:80"},
	};

	for (size_t i = 0; i < sizeof cures / sizeof *cures; i++) {
		struct endpoint ep;
		struct error e;

		error_clear(&e);
		SAME(endpoint_parse(&ep, cures[i].word, &e), -1, "%s is refused", cures[i].word);
		SAME_TEXT(e.hint, cures[i].hint, "with the cure, or none: %s", e.what);
	}
}

static void test_long_path(void)
{
	char word[200] = "unix:";
	struct endpoint ep;
	struct error e;

	memset(word + 5, 'a', 107);
	SAME_TEXT(again(word), word, "a path of 107 bytes fits");
	word[5 + 107] = 'a';
	OK(endpoint_parse(&ep, word, &e) < 0 && strstr(e.what, "108 bytes") && *e.hint,
	   "one of 108 is refused with its length and a cure");
	word[5] = '@';
	SAME_TEXT(again(word), word, "an abstract name has one byte more");
}

static void test_addresses(void)
{
	SAME_TEXT(addresses("80"), "127.0.0.1:80 [::1]:80", "a port alone is loopback, twice");
	SAME_TEXT(addresses("localhost:80"), "127.0.0.1:80 [::1]:80",
		  "localhost needs no resolver");
	SAME_TEXT(addresses("*:80"), "[::]:80", "* is every address");
	SAME_TEXT(addresses("1.2.3.4:80"), "1.2.3.4:80", "an IPv4 literal");
	SAME_TEXT(addresses("[2001:db8::1]:80"), "[2001:db8::1]:80", "an IPv6 literal");
	SAME_TEXT(addresses("[fe80::1%lo]:80"), "[fe80::1%lo]:80", "an IPv6 literal with its zone");
	SAME_TEXT(addresses("[::ffff:1.2.3.4]:80"), "1.2.3.4:80", "a mapped one is told as IPv4");
	SAME_TEXT(addresses("db:80"), "", "a name has none before it is resolved");
	SAME_TEXT(addresses("unix:/run/x"), "unix:/run/x", "a path");
	SAME_TEXT(addresses("unix:@x"), "unix:@x", "an abstract name");
	SAME_TEXT(addresses("vsock:2:99"), "vsock:2:99", "a vsock address");
	SAME_TEXT(addresses("fd:3"), "", "a descriptor has none");
}

static void test_parts(void)
{
	struct address a = {.length = sizeof(sa_family_t)};
	struct endpoint ep;
	struct error e;

	a.any.sa_family = AF_UNIX;
	SAME_TEXT(address_text(&a).text, "unix:", "a Unix client has no name");
	memcpy(a.un.sun_path, "\0a\0b", 4);
	a.length += 4;
	SAME_TEXT(address_text(&a).text, "unix:@a@b", "a NUL in a name is written as @");
	endpoint_parse(&ep, "[::ffff:1.2.3.4]:80", &e);
	endpoint_addresses(&ep, &a, 1);
	endpoint_release(&ep);
	address_unmap(&a);
	SAME(a.any.sa_family, AF_INET, "a mapped address becomes one of IPv4");
	SAME(address_port(&a), 80, "its port");
	SAME_TEXT(address_host(&a).text, "1.2.3.4", "its host alone");
	OK(address_is_ip(&a), "it is an IP address");
}

static int target(const char *word)
{
	struct endpoint ep;
	struct error e;
	int result;

	if (endpoint_parse(&ep, word, &e) < 0)
		return -2;
	result = endpoint_check_target(&ep, word, &e);
	endpoint_release(&ep);
	return result;
}

static void test_targets(void)
{
	SAME(target("db:80"), 0, "a host and port can be connected to");
	SAME(target("80"), 0, "a port too");
	SAME(target("*:80"), -1, "* cannot");
	SAME(target("db:0"), -1, "port 0 cannot");
	SAME(target("fd:3"), -1, "an inherited socket cannot");
	SAME(target("vsock:*:3"), -1, "any vsock cannot");
}

int main(void)
{
	test_words();
	test_refused();
	test_cures();
	test_long_path();
	test_addresses();
	test_parts();
	test_targets();
	return tap_done();
}
