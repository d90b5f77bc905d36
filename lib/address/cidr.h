/*
 * Who may connect: ordered rules over address ranges, and how many connections each address holds.
 *
 * IPv4 and IPv6 never match each other, but ::ffff:1.2.3.4 is IPv4 everywhere. Peers without an IP
 * address (Unix, vsock) are beyond these rules: a Unix socket's mode decides there.
 */
#ifndef EVWATCH_ADDRESS_CIDR_H
#define EVWATCH_ADDRESS_CIDR_H

#include "address/address.h"
#include "base/table.h"

struct error;

/* One range: the first `prefix` bits of an address. */
struct cidr {
	struct ip ip;
	uint8_t prefix;
	bool allow;
};

/* In the order given; the first that matches decides. Zeroed: everybody may. */
struct cidr_list {
	struct cidr *rules; /* owned */
	size_t count, capacity;
	bool allows; /* some rule allows: who matches none may not */
};

/* Reads `10.0.0.0/8`, `::1`, `[fe80::]/10` and adds it. -1 with `e`, e->column at the fault. */
int cidr_list_add(struct cidr_list *list, const char *word, bool allow, struct error *e);
void cidr_list_free(struct cidr_list *list);

bool cidr_list_permits(const struct cidr_list *list, const struct address *a);

/* ---- connections per address ----------------------------------------------------------------- */

/*
 * An address that holds connections; there is one only while it holds any. Of IPv6 a /64 counts as
 * one: a host may have as many addresses there as it likes. Link-local ones share a /64.
 */
struct peer {
	struct ip ip;
	uint64_t count;
};

struct peer_table {
	struct table table;
};

void peer_table_init(struct peer_table *t);

/* Frees the table and all peers; pointers to them die. */
void peer_table_free(struct peer_table *t);

/*
 * Counts one more connection of this address, up to `most`. Returns its peer, to be given to
 * peer_leave exactly once; or NULL with errno: EUSERS (it holds `most`), ENOMEM, EAFNOSUPPORT (no
 * IP address: not counted).
 */
struct peer *peer_enter(struct peer_table *t, const struct address *a, uint64_t most);

/* One connection less; the last one frees the peer. NULL is nobody. */
void peer_leave(struct peer_table *t, struct peer *p);

#endif
