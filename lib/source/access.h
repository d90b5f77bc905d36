/*
 * What `listen` and `relay` rules have in common: where peers can come to, who of them may, and how
 * many; and the options that say it.
 */
#ifndef EVWATCH_SOURCE_ACCESS_H
#define EVWATCH_SOURCE_ACCESS_H

#include "address/cidr.h"
#include "base/option.h"

#include <stdint.h>

struct endpoint;
struct error;
struct listener;
struct source;

/* The first member of a configuration with ACCESS_OPTIONS. */
struct access {
	struct cidr_list rules;         /* --allow, --deny */
	uint64_t max_conns, max_per_ip; /* 0: no limit */
};

/*
 * Rows of an option table. `above_most` says what happens to connections above --max-conns; the
 * checks (option.h) say whether peers have the addresses that are to be judged, and counted.
 */
/* clang-format off */
#define ACCESS_OPTIONS(above_most, check_judged, check_counted)                                    \
	{.name = "max-conns", .type = OPTION_COUNT, .offset = offsetof(struct access, max_conns),  \
	 .value = "N", .least = 1, .help = (above_most)},                                          \
	{.name = "max-per-ip", .type = OPTION_COUNT, .offset = offsetof(struct access, max_per_ip),\
	 .value = "N", .least = 1, .check = (check_counted),                                       \
	 .help = "refuse more from one address"},                                                  \
	{.name = "allow", .type = OPTION_CUSTOM, .parse = access_allow, .value = "CIDR",           \
	 .check = (check_judged), .help = "who may connect; the first match wins; repeat"},        \
	{.name = "deny", .type = OPTION_CUSTOM, .parse = access_deny, .value = "CIDR",             \
	 .check = (check_judged), .help = "who may not; repeat"}
/* clang-format on */

/* --allow and --deny; `config` begins with a struct access. */
int access_allow(void *config, const char *word, struct error *e);
int access_deny(void *config, const char *word, struct error *e);

/* Do peers of one of these have IP addresses, or may they? -1 with `e` for ACCESS_OPTIONS. */
int access_check(const struct endpoint *all, size_t n, struct error *e);

/* Reports to the host of `s` where these sockets are bound. */
void access_report_bound(struct source *s, const struct listener *l);

#endif
