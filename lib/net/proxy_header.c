/*
 * See proxy_header.h. Reading is strict: a header that two readers could understand differently
 * lets a client lie to one of them.
 */
#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { V2_FIXED = 16, V2_V4 = 12, V2_V6 = 36, V2_UNIX = 216, UNIX_PATH = 108 };

static const unsigned char signature[12] = {'\r', '\n', '\r', '\n', '\0', '\r',
					    '\n', 'Q',  'U',  'I',  'T',  '\n'};

static enum proxy_result wrong(const char **why, const char *what)
{
	*why = what;
	return PROXY_WRONG;
}

/* Do both begin alike, as far as both go? */
static bool agrees(const void *bytes, size_t length, const void *with, size_t with_length)
{
	return memcmp(bytes, with, length < with_length ? length : with_length) == 0;
}

/* ---- version 1 ------------------------------------------------------------------------------- */

/* The next word, up to one blank or the end. NULL: there is none, or it is too long. */
static const char *next_word(const char **at, const char *end, char *word, size_t room)
{
	const char *blank = memchr(*at, ' ', (size_t)(end - *at));
	size_t n = (size_t)((blank ? blank : end) - *at);

	if (n == 0 || n >= room || memchr(*at, '\0', n))
		return NULL;
	memcpy(word, *at, n);
	word[n] = '\0';
	*at = blank ? blank + 1 : end;
	return word;
}

/* Decimal, without signs and leading zeroes. */
static bool port_read(const char *word, uint16_t *port)
{
	unsigned n = 0;

	if (word[0] == '0' && word[1])
		return false;
	for (; *word; word++) {
		if (*word < '0' || *word > '9')
			return false;
		n = n * 10 + (unsigned)(*word - '0');
		if (n > UINT16_MAX)
			return false;
	}
	*port = htons((uint16_t)n);
	return true;
}

/* inet_pton(3) takes four decimal numbers without leading zeroes, or an IPv6 address, as asked. */
static bool address_read(struct address *a, sa_family_t family, const char *host, const char *port)
{
	bool v4 = family == AF_INET;

	memset(a, 0, sizeof *a);
	a->any.sa_family = family;
	a->length = v4 ? sizeof a->v4 : sizeof a->v6;
	return inet_pton(family, host, v4 ? (void *)&a->v4.sin_addr : (void *)&a->v6.sin6_addr) ==
		   1 &&
	       port_read(port, v4 ? &a->v4.sin_port : &a->v6.sin6_port);
}

/* `TCP4 1.2.3.4 5.6.7.8 1234 80`, behind `PROXY `. */
static bool v1_read(const char *at, const char *end, struct proxy_header *h)
{
	char family[8], hosts[2][INET6_ADDRSTRLEN], ports[2][8];
	sa_family_t af;

	if (!next_word(&at, end, family, sizeof family))
		return false;
	if (strcmp(family, "UNKNOWN") == 0)
		return true; /* whatever follows is ignored */
	if (strcmp(family, "TCP4") != 0 && strcmp(family, "TCP6") != 0)
		return false;
	af = family[3] == '4' ? AF_INET : AF_INET6;
	if (!next_word(&at, end, hosts[0], sizeof *hosts) ||
	    !next_word(&at, end, hosts[1], sizeof *hosts) ||
	    !next_word(&at, end, ports[0], sizeof *ports) ||
	    !next_word(&at, end, ports[1], sizeof *ports) || at != end || end[-1] == ' ')
		return false;
	h->told = address_read(&h->source, af, hosts[0], ports[0]) &&
		  address_read(&h->destination, af, hosts[1], ports[1]);
	return h->told;
}

static enum proxy_result read_v1(const char *bytes, size_t length, struct proxy_header *h,
				 size_t *used, const char **why)
{
	static const char start[] = "PROXY ";
	size_t most = length < PROXY_V1_MOST ? length : PROXY_V1_MOST;
	const char *cr;

	if (!agrees(bytes, length, start, sizeof start - 1))
		return wrong(why, "it does not begin with a PROXY header");
	cr = memchr(bytes, '\r', most);
	if (memchr(bytes, '\n', cr ? (size_t)(cr - bytes) : most))
		return wrong(why, "a PROXY header without CR LF at its end");
	if (!cr || cr + 1 == bytes + most)
		return most < PROXY_V1_MOST ? PROXY_PARTIAL
					    : wrong(why, "a PROXY header that does not end");
	if (cr[1] != '\n' || !v1_read(bytes + sizeof start - 1, cr, h))
		return wrong(why, "a PROXY header that cannot be understood");
	*used = (size_t)(cr - bytes) + 2;
	return PROXY_WHOLE;
}

/* ---- version 2 ------------------------------------------------------------------------------- */

static void read_v4(struct address *a, const unsigned char *ip, const unsigned char *port)
{
	memset(a, 0, sizeof *a);
	a->v4.sin_family = AF_INET;
	memcpy(&a->v4.sin_addr, ip, 4);
	memcpy(&a->v4.sin_port, port, 2);
	a->length = sizeof a->v4;
}

static void read_v6(struct address *a, const unsigned char *ip, const unsigned char *port)
{
	memset(a, 0, sizeof *a);
	a->v6.sin6_family = AF_INET6;
	memcpy(&a->v6.sin6_addr, ip, 16);
	memcpy(&a->v6.sin6_port, port, 2);
	a->length = sizeof a->v6;
}

/* A path ends with NUL, or fills its field; an abstract one begins with NUL and is padded. */
static void read_unix(struct address *a, const unsigned char *path)
{
	size_t n = UNIX_PATH;

	memset(a, 0, sizeof *a);
	a->un.sun_family = AF_UNIX;
	memcpy(a->un.sun_path, path, UNIX_PATH);
	while (n > 0 && path[n - 1] == '\0')
		n--;
	a->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

/* The size of the two ends of this family; -1: there is no such family. */
static int v2_block(unsigned family)
{
	static const int sizes[] = {0, V2_V4, V2_V6, V2_UNIX};

	return family < sizeof sizes / sizeof *sizes ? sizes[family] : -1;
}

static void v2_read(const unsigned char *block, unsigned family, struct proxy_header *h)
{
	h->told = true;
	if (family == 1) {
		read_v4(&h->source, block, block + 8);
		read_v4(&h->destination, block + 4, block + 10);
	} else if (family == 2) {
		read_v6(&h->source, block, block + 32);
		read_v6(&h->destination, block + 16, block + 34);
	} else {
		read_unix(&h->source, block);
		read_unix(&h->destination, block + UNIX_PATH);
	}
}

static enum proxy_result read_v2(const unsigned char *bytes, size_t length, struct proxy_header *h,
				 size_t *used, const char **why)
{
	unsigned family, transport;
	size_t rest;
	int block;

	if (length < sizeof signature + 1)
		return PROXY_PARTIAL;
	/* 0x20: LOCAL, 0x21: PROXY. */
	if (bytes[12] != 0x20 && bytes[12] != 0x21)
		return wrong(why, "a PROXY header of an unknown version or command");
	if (length < V2_FIXED)
		return PROXY_PARTIAL;
	family = bytes[13] >> 4;
	transport = bytes[13] & 15;
	rest = (size_t)bytes[14] << 8 | bytes[15];
	block = v2_block(family);
	if (bytes[12] == 0x20)
		block = 0; /* the family is to be ignored */
	else if (block < 0 || transport > 2)
		return wrong(why, "a PROXY header of an unknown family");
	if (rest < (size_t)block)
		return wrong(why, "a PROXY header that is too short for its family");
	if (V2_FIXED + rest > PROXY_HEADER_MOST)
		return wrong(why, "a PROXY header that is too long");
	if (length < V2_FIXED + rest)
		return PROXY_PARTIAL;
	/* Without a transport (UNSPEC) the addresses are to be ignored. */
	if (block > 0 && transport > 0)
		v2_read(bytes + V2_FIXED, family, h);
	*used = V2_FIXED + rest; /* TLVs behind the addresses are skipped */
	return PROXY_WHOLE;
}

enum proxy_result proxy_header_read(const void *bytes, size_t length, struct proxy_header *h,
				    size_t *used, const char **why)
{
	enum proxy_result result;

	memset(h, 0, sizeof *h);
	if (length == 0)
		return PROXY_PARTIAL;
	if (agrees(bytes, length, signature, sizeof signature))
		result = read_v2(bytes, length, h, used, why);
	else
		result = read_v1(bytes, length, h, used, why);
	if (result == PROXY_WHOLE && h->told) {
		address_unmap(&h->source);
		address_unmap(&h->destination);
	}
	return result;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* ::ffff:1.2.3.4 */
static void map(struct address *a)
{
	struct sockaddr_in v4 = a->v4;

	if (a->any.sa_family != AF_INET)
		return;
	*a = (struct address){.length = sizeof a->v6};
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = v4.sin_port;
	a->v6.sin6_addr.s6_addr[10] = a->v6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(a->v6.sin6_addr.s6_addr + 12, &v4.sin_addr, sizeof v4.sin_addr);
}

/*
 * Copies both ends, where they are known, and returns their family, or AF_UNSPEC. A header has one
 * family: where one end is IPv4 and the other IPv6, both become IPv6, so that no client is lost.
 */
static sa_family_t common_family(struct address ends[2], const struct address *a,
				 const struct address *b)
{
	if (!a || !b)
		return AF_UNSPEC;
	ends[0] = *a;
	ends[1] = *b;
	if (address_is_ip(a) && address_is_ip(b) && a->any.sa_family != b->any.sa_family) {
		map(&ends[0]);
		map(&ends[1]);
	}
	return ends[0].any.sa_family == ends[1].any.sa_family ? ends[0].any.sa_family : AF_UNSPEC;
}

static size_t write_v1(const struct address *source, const struct address *destination, char *out)
{
	struct address ends[2], *s = &ends[0], *d = &ends[1];
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	int n = -1;

	switch (common_family(ends, source, destination)) {
	case AF_INET:
		inet_ntop(AF_INET, &s->v4.sin_addr, from, sizeof from);
		inet_ntop(AF_INET, &d->v4.sin_addr, to, sizeof to);
		n = snprintf(out, PROXY_HEADER_ROOM, "PROXY TCP4 %s %s %u %u\r\n", from, to,
			     ntohs(s->v4.sin_port), ntohs(d->v4.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &s->v6.sin6_addr, from, sizeof from);
		inet_ntop(AF_INET6, &d->v6.sin6_addr, to, sizeof to);
		n = snprintf(out, PROXY_HEADER_ROOM, "PROXY TCP6 %s %s %u %u\r\n", from, to,
			     ntohs(s->v6.sin6_port), ntohs(d->v6.sin6_port));
		break;
	default:
		n = snprintf(out, PROXY_HEADER_ROOM, "PROXY UNKNOWN\r\n");
	}
	return (size_t)n;
}

static void put_unix(unsigned char *to, const struct address *a)
{
	size_t n = a->length - offsetof(struct sockaddr_un, sun_path);

	memset(to, 0, UNIX_PATH);
	memcpy(to, a->un.sun_path, n < UNIX_PATH ? n : UNIX_PATH);
}

static size_t write_v2(const struct address *source, const struct address *destination,
		       unsigned char *out)
{
	struct address ends[2], *s = &ends[0], *d = &ends[1];
	unsigned char *block = out + V2_FIXED;
	size_t rest = 0;

	memcpy(out, signature, sizeof signature);
	out[12] = 0x21;
	switch (common_family(ends, source, destination)) {
	case AF_INET:
		out[13] = 0x11;
		rest = V2_V4;
		memcpy(block, &s->v4.sin_addr, 4);
		memcpy(block + 4, &d->v4.sin_addr, 4);
		memcpy(block + 8, &s->v4.sin_port, 2);
		memcpy(block + 10, &d->v4.sin_port, 2);
		break;
	case AF_INET6:
		out[13] = 0x21;
		rest = V2_V6;
		memcpy(block, &s->v6.sin6_addr, 16);
		memcpy(block + 16, &d->v6.sin6_addr, 16);
		memcpy(block + 32, &s->v6.sin6_port, 2);
		memcpy(block + 34, &d->v6.sin6_port, 2);
		break;
	case AF_UNIX:
		out[13] = 0x31;
		rest = V2_UNIX;
		put_unix(block, s);
		put_unix(block + UNIX_PATH, d);
		break;
	default:
		out[12] = 0x20;
		out[13] = 0x00;
	}
	out[14] = 0;
	out[15] = (unsigned char)rest;
	return V2_FIXED + rest;
}

size_t proxy_header_write(int version, const struct address *source,
			  const struct address *destination, void *out)
{
	return version == 1 ? write_v1(source, destination, out)
			    : write_v2(source, destination, out);
}
