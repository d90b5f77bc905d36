/* See cidr.h. */
#include "address/cidr.h"

#include "base/array.h"
#include "base/error.h"
#include "base/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ::ffff:1.2.3.4 is IPv4 everywhere. */
static struct ip ip_of(const struct address *a)
{
	struct address plain = *a;

	address_unmap(&plain);
	return address_ip(&plain);
}

/* Clears the bits behind the prefix: 10.1.2.3/8 means 10.0.0.0/8. */
static void cidr_mask(struct cidr *c)
{
	for (unsigned bit = c->prefix; bit < c->ip.size * 8u; bit++)
		c->ip.bytes[bit / 8] = (uint8_t)(c->ip.bytes[bit / 8] & ~(0x80u >> bit % 8));
}

static int cidr_parse(struct cidr *c, const char *word, struct error *e)
{
	size_t length = strcspn(word, "/");
	struct address a;
	uint64_t most, prefix;

	*c = (struct cidr){0};
	/* A range has no interface. */
	if (memchr(word, '%', length) || !address_read(&a, word, length)) {
		error_in_word(e, word, word,
			      "not an address range (as in 10.0.0.0/8, 2001:db8::/32, ::1)");
		return error_hint(e, "write the address: names are not accepted");
	}
	most = prefix = address_ip(&a).size * 8u;
	if (word[length] && count_parse(word + length + 1, 0, most, &prefix, e) < 0) {
		error_set(e, "\"%s\": the prefix length is a number from 0 to %u", word,
			  (unsigned)most);
		if (strchr(word, ','))
			error_hint(e, "give the option for each range");
		return error_at(e, -1, (int)length + 1);
	}
	/* A range that lies in ::ffff:0:0/96 is one of IPv4. */
	c->ip = most - prefix <= 32 ? ip_of(&a) : address_ip(&a);
	c->prefix = (uint8_t)(prefix - (most - c->ip.size * 8u));
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

static bool cidr_matches(const struct cidr *c, const struct ip *ip)
{
	unsigned whole = c->prefix / 8, rest = c->prefix % 8;

	if (c->ip.size != ip->size || memcmp(c->ip.bytes, ip->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	       ((c->ip.bytes[whole] ^ ip->bytes[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

bool cidr_list_permits(const struct cidr_list *list, const struct address *a)
{
	struct ip ip;

	if (list->count == 0)
		return true;
	ip = ip_of(a);
	if (ip.size == 0)
		return true;
	for (size_t i = 0; i < list->count; i++)
		if (cidr_matches(&list->rules[i], &ip))
			return list->rules[i].allow;
	return !list->allows;
}

/* ---- connections per address ----------------------------------------------------------------- */

static uint64_t peer_hash(const void *item)
{
	return hash_bytes(&((const struct peer *)item)->ip, sizeof(struct ip));
}

static bool peer_equal(const void *item, const void *key)
{
	return memcmp(&((const struct peer *)item)->ip, &((const struct peer *)key)->ip,
		      sizeof(struct ip)) == 0;
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

struct peer *peer_enter(struct peer_table *t, const struct address *a, uint64_t most)
{
	struct peer key = {.ip = ip_of(a)}, *p;

	if (key.ip.size == 0) {
		errno = EAFNOSUPPORT;
		return NULL;
	}
	if (key.ip.size == 16 && !IN6_IS_ADDR_LINKLOCAL(&a->v6.sin6_addr))
		memset(key.ip.bytes + 8, 0, 8);
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
