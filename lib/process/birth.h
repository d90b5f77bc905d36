/*
 * A birth: a child from clone to exec. It runs in its parent's memory, perhaps while the parent
 * goes on there (but for another user's command, which gets a copy): it makes system calls only,
 * without errno (bare.h), and writes nowhere but in its birth and on its own stack.
 *
 * No handler of the parent may run in it. So it is born with all signals blocked, and gives them
 * their default disposition before it unblocks them.
 */
#ifndef EVWATCH_PROCESS_BIRTH_H
#define EVWATCH_PROCESS_BIRTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct launch;

struct birth {
	const struct launch *launch;
	const char *path;         /* of the child's environment */
	char **script_argv;       /* shell, a place for the file, arguments: for files without #! */
	uint64_t changed_signals; /* a bit each, from signal 1 on */
	bool overlaps;            /* the parent does not wait, in the same memory */
	/*
	 * With `overlaps`, 1 as long as the child is in this memory: the kernel writes 0 when it
	 * has executed its command, or is gone (set_tid_address(2)). One that is killed at once may
	 * leave the 1 behind.
	 */
	atomic_int here;
	int error;        /* 0, or the errno of the step that failed */
	const char *step; /* of struct launch */
};

/* What the child does; `birth` is its struct birth. Never returns. */
int birth_child(void *birth);

#endif
