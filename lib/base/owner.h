/* Users and groups of this system (passwd(5), group(5)), each by its name or its number. */
#ifndef EVWATCH_BASE_OWNER_H
#define EVWATCH_BASE_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

struct error;

/* An id in digits: as it is, whether it has a name or not. */
bool owner_number(const char *word, unsigned *id);

/* Returns 0, or -1 with `e`. */
int owner_group(const char *name, gid_t *gid, struct error *e);

/*
 * USER, USER:GROUP or :GROUP, as chown(1) has it. A user brings its own group; what is not said is
 * -1, which chown(2) leaves as it is. Returns 0, or -1 with `e`.
 */
int owner_parse(const char *word, uid_t *uid, gid_t *gid, struct error *e);

#endif
