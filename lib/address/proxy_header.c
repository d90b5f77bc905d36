/*
 * See proxy_header.h. Reading is strict: a header that two readers could understand differently
 * lets a client lie to one of them.
 */
#include "address/proxy_header.h"

#include "base/array.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { V2_FIXED = 16 };

/* How the ends of a family are written; the place in this table is its number in version 2. */
static const struct family {
	sa_family_t family;
	socklen_t length;       /* of an address */
	const char *word;       /* of version 1; NULL: it has none */
	size_t host, host_size; /* where the host stands in an address */
	size_t port;            /* and the port; 0: there is none */
} families[] = {
    {0},
    {AF_INET, sizeof(struct sockaddr_in), "TCP4", offsetof(struct sockaddr_in, sin_addr), 4,
     offsetof(struct sockaddr_in, sin_port)},
    {AF_INET6, sizeof(struct sockaddr_in6), "TCP6", offsetof(struct sockaddr_in6, sin6_addr), 16,
     offsetof(struct sockaddr_in6, sin6_port)},
    {AF_UNIX, sizeof(struct sockaddr_un), NULL, offsetof(struct sockaddr_un, sun_path), 108, 0},
};

static unsigned char *field(struct address *a, size_t place)
{
	return (unsigned char *)&a->storage + place;
}

static void address_begin(struct address *a, const struct family *f)
{
	*a = (struct address){.length = f->length};
	a->any.sa_family = f->family;
}

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
static bool port_read(const char *word, void *port)
{
	uint16_t big_endian;
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
	big_endian = htons((uint16_t)n);
	memcpy(port, &big_endian, sizeof big_endian);
	return true;
}

/* inet_pton(3) takes four decimal numbers without leading zeroes, or an IPv6 address, as asked. */
static bool end_read(struct address *a, const struct family *f, const char *host, const char *port)
{
	address_begin(a, f);
	return inet_pton(f->family, host, field(a, f->host)) == 1 &&
	       port_read(port, field(a, f->port));
}

/* The family of this word of version 1; NULL: none has it. */
static const struct family *family_of_word(const char *word)
{
	for (size_t i = 0; i < ARRAY_LENGTH(families); i++)
		if (families[i].word && strcmp(families[i].word, word) == 0)
			return &families[i];
	return NULL;
}

/* `TCP4 1.2.3.4 5.6.7.8 1234 80`, behind `PROXY `. */
static bool v1_read(const char *at, const char *end, struct proxy_header *h)
{
	char word[8], hosts[2][INET6_ADDRSTRLEN], ports[2][8];
	const struct family *f;

	if (!next_word(&at, end, word, sizeof word))
		return false;
	if (strcmp(word, "UNKNOWN") == 0)
		return true; /* whatever follows is ignored */
	f = family_of_word(word);
	if (!f || !next_word(&at, end, hosts[0], sizeof *hosts) ||
	    !next_word(&at, end, hosts[1], sizeof *hosts) ||
	    !next_word(&at, end, ports[0], sizeof *ports) ||
	    !next_word(&at, end, ports[1], sizeof *ports) || at != end || end[-1] == ' ')
		return false;
	h->has_ends = end_read(&h->source, f, hosts[0], ports[0]) &&
		      end_read(&h->destination, f, hosts[1], ports[1]);
	return h->has_ends;
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

/* Both hosts, then both ports. */
static size_t block_size(const struct family *f)
{
	return 2 * (f->host_size + (f->port ? sizeof(uint16_t) : 0));
}

static size_t port_in_block(const struct family *f, int end)
{
	return 2 * f->host_size + (size_t)end * sizeof(uint16_t);
}

/*
 * One end, 0 or 1. A path ends with NUL, or fills its field; an abstract one begins with NUL and is
 * padded.
 */
static void block_read(struct address *a, const struct family *f, const unsigned char *block,
		       int end)
{
	address_begin(a, f);
	memcpy(field(a, f->host), block + (size_t)end * f->host_size, f->host_size);
	if (f->port)
		memcpy(field(a, f->port), block + port_in_block(f, end), sizeof(uint16_t));
	while (!f->port && a->length > f->host && !*field(a, a->length - 1))
		a->length--;
}

static void block_write(struct address *a, const struct family *f, unsigned char *block, int end)
{
	size_t n = a->length - f->host;
	unsigned char *host = block + (size_t)end * f->host_size;

	memset(host, 0, f->host_size);
	memcpy(host, field(a, f->host), n < f->host_size ? n : f->host_size);
	if (f->port)
		memcpy(block + port_in_block(f, end), field(a, f->port), sizeof(uint16_t));
}

static enum proxy_result read_v2(const unsigned char *bytes, size_t length, struct proxy_header *h,
				 size_t *used, const char **why)
{
	unsigned family, transport;
	const struct family *f = families; /* LOCAL: the family is to be ignored */
	size_t rest;

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
	if (bytes[12] == 0x21 && (family >= ARRAY_LENGTH(families) || transport > 2))
		return wrong(why, "a PROXY header of an unknown family");
	if (bytes[12] == 0x21)
		f = &families[family];
	if (rest < block_size(f))
		return wrong(why, "a PROXY header that is too short for its family");
	if (V2_FIXED + rest > PROXY_HEADER_MOST)
		return wrong(why, "a PROXY header that is too long");
	if (length < V2_FIXED + rest)
		return PROXY_PARTIAL;
	/* Without a transport (UNSPEC) the addresses are to be ignored. */
	h->has_ends = f->family != 0 && transport > 0;
	if (h->has_ends) {
		block_read(&h->source, f, bytes + V2_FIXED, 0);
		block_read(&h->destination, f, bytes + V2_FIXED, 1);
	}
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
	if (result == PROXY_WHOLE && h->has_ends) {
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
 * Copies both ends, where they are known, and returns their family, or the first one: none. A
 * header has one family: where one end is IPv4 and the other IPv6, both become IPv6, so that no
 * client is lost.
 */
static const struct family *common_family(struct address ends[2], const struct address *a,
					  const struct address *b)
{
	if (!a || !b)
		return families;
	ends[0] = *a;
	ends[1] = *b;
	if (address_is_ip(a) && address_is_ip(b) && a->any.sa_family != b->any.sa_family) {
		map(&ends[0]);
		map(&ends[1]);
	}
	for (size_t i = 1; i < ARRAY_LENGTH(families); i++)
		if (ends[0].any.sa_family == families[i].family &&
		    ends[1].any.sa_family == families[i].family)
			return &families[i];
	return families;
}

static size_t write_v1(struct address ends[2], const struct family *f, char *out)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

	if (!f->word)
		return (size_t)snprintf(out, PROXY_HEADER_ROOM, "PROXY UNKNOWN\r\n");
	inet_ntop(f->family, field(&ends[0], f->host), from, sizeof from);
	inet_ntop(f->family, field(&ends[1], f->host), to, sizeof to);
	return (size_t)snprintf(out, PROXY_HEADER_ROOM, "PROXY %s %s %s %u %u\r\n", f->word, from,
				to, address_port(&ends[0]), address_port(&ends[1]));
}

static size_t write_v2(struct address ends[2], const struct family *f, unsigned char *out)
{
	size_t rest = block_size(f);

	memcpy(out, signature, sizeof signature);
	out[12] = f->family ? 0x21 : 0x20;
	out[13] = (unsigned char)(f->family ? (f - families) << 4 | 1 : 0);
	out[14] = 0;
	out[15] = (unsigned char)rest;
	for (int end = 0; f->family && end < 2; end++)
		block_write(&ends[end], f, out + V2_FIXED, end);
	return V2_FIXED + rest;
}

size_t proxy_header_write(int version, const struct address *source,
			  const struct address *destination, void *out)
{
	struct address ends[2] = {0};
	const struct family *f = common_family(ends, source, destination);

	return version == 1 ? write_v1(ends, f, out) : write_v2(ends, f, out);
}
