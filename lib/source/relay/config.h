/* What a relay rule says: its two sides and its options, as plain data. */
#ifndef EVWATCH_SOURCE_RELAY_CONFIG_H
#define EVWATCH_SOURCE_RELAY_CONFIG_H

#include "address/endpoint.h"
#include "base/option.h"
#include "source/access.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum { WORKERS_MOST = 256 };

struct relay_config {
	struct access access; /* first: ACCESS_OPTIONS */
	struct endpoint listen;
	struct endpoint *targets;                      /* owned */
	size_t n_targets;                              /* at least 1 */
	bool datagrams;                                /* udp: on both sides */
	int balance;                                   /* enum pool_balance */
	int64_t connect_timeout, idle, drain, dns_ttl; /* ns; idle 0: for ever */
	int64_t check;                                 /* ns between looks at a target; 0: none */
	struct address bind;                           /* connect from it; length 0: from any */
	uint64_t rise, fall; /* so many answers in a row make it up, down */
	uint64_t retry;
	char *dump;        /* a path, `-`, or NULL */
	bool proxy_accept; /* clients begin with a PROXY header */
	int proxy_send;    /* of this version, to targets; 0: none */
	uint64_t rate;     /* bytes a second each way; 0: no limit */
	uint64_t workers;  /* below 2: none */
};

/* The table of --help, the parser and the manual; ends with a NULL name. */
extern const struct option relay_options[];

/* --bind, or NULL. */
const struct address *relay_source_address(const struct relay_config *c);

/* As struct source_type asks for them (source.h). */
void relay_config_init(void *config);
int relay_config_arguments(void *config, char *const *words, size_t n, struct error *e);
void relay_config_release(void *config);
void relay_config_describe(const void *config, struct buf *out);

#endif
