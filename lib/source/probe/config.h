/* What a probe rule says, as plain data. */
#ifndef EVWATCH_SOURCE_PROBE_CONFIG_H
#define EVWATCH_SOURCE_PROBE_CONFIG_H

#include "address/endpoint.h"
#include "base/option.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct error;

struct probe_target {
	struct endpoint endpoint;
	char *word; /* owned: as the user wrote it */
	/* Of http://HOST[:PORT]/PATH; else NULL. */
	char *host, *path; /* owned: what the request says */
};

struct probe_config {
	struct probe_target *targets; /* owned; with `of` there is none */
	size_t n_targets;
	int64_t interval, timeout;
	uint64_t rise, fall;
	bool all, first;
	unsigned least, most; /* --expect: statuses of HTTP */
	char *of;             /* shell text; NULL: endpoints are probed */
};

/* The table of --help, the parser and the manual; ends with a NULL name. */
extern const struct option probe_options[];

/* As struct source_type asks for them (source.h). */
void probe_config_init(void *config);
int probe_config_arguments(void *config, char *const *words, size_t n, struct error *e);
void probe_config_release(void *config);
uint64_t probe_config_most_subjects(const void *config);
void probe_config_describe(const void *config, struct buf *out);

#endif
