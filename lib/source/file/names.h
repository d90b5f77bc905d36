/* The names in a directory; NULL is the empty set. See names.c. */
#ifndef EVWATCH_SOURCE_FILE_NAMES_H
#define EVWATCH_SOURCE_FILE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names;

struct entry {
	uint32_t stamp; /* of polled directories: a hash of what stat(2) tells */
	char type;      /* 'f', 'd', 'l'; '?': no directory, the rest is to be seen */
	bool seen;      /* by the scan that is under way */
	char name[];
};

/* The entry of this name, or NULL. It stays where it is until the next addition. */
struct entry *names_find(const struct names *n, const char *name);
/* Returns 1 when it is new, 0 when it was there, -1 with ENOMEM. */
int names_add(struct names **n, const char *name, char type);
/* Was it there? `name` may stand in the entry itself, which is not overwritten. */
bool names_remove(struct names **n, const char *name);
/* Walks all from *at = 0; NULL ends. Nothing may be added or removed meanwhile. */
struct entry *names_next(const struct names *n, uint32_t *at);
void names_free(struct names **n);

#endif
