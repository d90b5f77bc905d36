/* A user of this system: the ids, and what a login gives a process. */
#ifndef EVWATCH_PROCESS_USER_H
#define EVWATCH_PROCESS_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct error;

struct user {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* owned; the supplementary ones */
	size_t n_groups;
	char *name, *home,
	    *shell; /* owned; without an entry in passwd(5): the number, / and /bin/sh */
};

/*
 * Finds USER[:GROUP], each by name or number. Without a group: all groups of the user; with one:
 * this group alone. `option` stands before each message. Returns 0, or -1 with `e`.
 */
int user_find(struct user *u, const char *word, const char *option, struct error *e);
void user_release(struct user *u);

/* May this process become others: has it CAP_SETUID and CAP_SETGID, as root has? */
bool user_may_change(void);

/*
 * Makes this process, with all its threads, that user's for good: groups, gid, uid, saved ids.
 * Returns 0, or -1 with errno: it may be half done, and the process should end.
 */
int user_become(const struct user *u);

#endif
