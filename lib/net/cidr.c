/* See cidr.h. Addresses are compared as 4 or 16 bytes in network order. */
#include "net/cidr.h"

#include "base/array.h"
#include "base/error.h"
#include "base/units.h"
#include "net/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The address' bytes, unmapped. Returns 4 or 16, or 0 for other families. */
static uint8_t address_bytes(const struct address *a, uint8_t bytes[16])
{
	if (a->any.sa_family == AF_INET) {
		memcpy(bytes, &a->v4.sin_addr, 4);
		return 4;
	}
	if (a->any.sa_family != AF_INET6)
		return 0;
	if (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)) {
		memcpy(bytes, a->v6.sin6_addr.s6_addr + 12, 4);
		return 4;
	}
	memcpy(bytes, a->v6.sin6_addr.s6_addr, 16);
	return 16;
}

/* Clears the bits behind the prefix: 10.1.2.3/8 means 10.0.0.0/8. */
static void cidr_mask(struct cidr *c)
{
	for (unsigned bit = c->prefix; bit < c->size * 8u; bit++)
		c->bytes[bit / 8] = (uint8_t)(c->bytes[bit / 8] & ~(0x80u >> bit % 8));
}

/* A range that lies in ::ffff:0:0/96 is one of IPv4. */
static void cidr_unmap(struct cidr *c)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (c->size != 16 || c->prefix < 96 || memcmp(c->bytes, mapped, sizeof mapped) != 0)
		return;
	memmove(c->bytes, c->bytes + 12, 4);
	c->size = 4;
	c->prefix = (uint8_t)(c->prefix - 96);
}

static bool cidr_read_address(struct cidr *c, const char *word, size_t length)
{
	struct address a;

	/* A range has no interface. */
	if (memchr(word, '%', length) || !address_read(&a, word, length))
		return false;
	c->size = a.any.sa_family == AF_INET6 ? 16 : 4;
	memcpy(c->bytes, c->size == 16 ? (const void *)&a.v6.sin6_addr : &a.v4.sin_addr, c->size);
	return true;
}

static int cidr_parse(struct cidr *c, const char *word, struct error *e)
{
	size_t length = strcspn(word, "/");
	uint64_t prefix;

	*c = (struct cidr){0};
	if (!cidr_read_address(c, word, length)) {
		error_in_word(e, word, word,
			      "not an address range (as in 10.0.0.0/8, 2001:db8::/32, ::1)");
		return error_hint(e, "write the address: names are not accepted");
	}
	prefix = c->size * 8u;
	if (word[length] && count_parse(word + length + 1, 0, c->size * 8u, &prefix, e) < 0) {
		error_set(e, "\"%s\": the prefix length is a number from 0 to %u", word,
			  c->size * 8u);
		if (strchr(word, ','))
			error_hint(e, "give the option for each range");
		return error_at(e, -1, (int)length + 1);
	}
	c->prefix = (uint8_t)prefix;
	cidr_unmap(c);
	cidr_mask(c);
	return 0;
}

int cidr_list_add(struct cidr_list *list, const char *word, bool allow, struct error *e)
{
	struct cidr c;

	if (cidr_parse(&c, word, e) < 0)
		return -1;
	if (ARRAY_GROW(list->rules, list->capacity, list->count + 1) < 0)
		return error_errno(e, "out of memory");
	c.allow = allow;
	list->rules[list->count++] = c;
	list->allows |= allow;
	return 0;
}

void cidr_list_free(struct cidr_list *list)
{
	free(list->rules);
	*list = (struct cidr_list){0};
}

static bool cidr_matches(const struct cidr *c, const uint8_t *bytes, uint8_t size)
{
	unsigned whole = c->prefix / 8, rest = c->prefix % 8;

	if (c->size != size || memcmp(c->bytes, bytes, whole) != 0)
		return false;
	return rest == 0 || ((c->bytes[whole] ^ bytes[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

bool cidr_list_permits(const struct cidr_list *list, const struct address *a)
{
	uint8_t bytes[16], size;

	if (list->count == 0)
		return true;
	size = address_bytes(a, bytes);
	if (size == 0)
		return true;
	for (size_t i = 0; i < list->count; i++)
		if (cidr_matches(&list->rules[i], bytes, size))
			return list->rules[i].allow;
	return !list->allows;
}

static uint64_t peer_hash(const void *item)
{
	const struct peer *p = item;

	return hash_bytes(p->bytes, p->size);
}

static bool peer_equal(const void *item, const void *key)
{
	const struct peer *a = item, *b = key;

	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static const struct table_type peer_type = {peer_hash, peer_hash, peer_equal};

void peer_table_init(struct peer_table *t)
{
	table_init(&t->table, &peer_type);
}

void peer_table_free(struct peer_table *t)
{
	size_t at = 0;

	for (struct peer *p; (p = table_next(&t->table, &at));)
		free(p);
	table_free(&t->table);
}

static uint8_t peer_bytes(const struct address *a, uint8_t bytes[16])
{
	uint8_t size = address_bytes(a, bytes);

	if (size == 16 && !IN6_IS_ADDR_LINKLOCAL(&a->v6.sin6_addr))
		memset(bytes + 8, 0, 8);
	return size;
}

struct peer *peer_enter(struct peer_table *t, const struct address *a, uint64_t most)
{
	struct peer key = {0}, *p;

	key.size = peer_bytes(a, key.bytes);
	if (key.size == 0) {
		errno = EAFNOSUPPORT;
		return NULL;
	}
	p = table_find(&t->table, &key);
	if (p ? p->count >= most : most == 0) {
		errno = EUSERS;
		return NULL;
	}
	if (!p) {
		p = malloc(sizeof *p);
		if (!p)
			return NULL;
		*p = key;
		if (table_add(&t->table, p) < 0) {
			free(p);
			return NULL;
		}
	}
	p->count++;
	return p;
}

void peer_leave(struct peer_table *t, struct peer *p)
{
	if (!p || --p->count > 0)
		return;
	table_remove(&t->table, p);
	free(p);
}
