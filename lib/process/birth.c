/* The child's side of a start. See birth.h; the parent's is in spawn.c. */
#include "process/birth.h"

#include "process/bare.h"
#include "process/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { SIGNAL_SET = _NSIG / 8 /* bytes, as the kernel counts them */, NICENESS_BIAS = 20 };

#define CALL0(name)             bare_call(SYS_##name, 0, 0, 0, 0)
#define CALL1(name, a)          bare_call(SYS_##name, (long)(a), 0, 0, 0)
#define CALL2(name, a, b)       bare_call(SYS_##name, (long)(a), (long)(b), 0, 0)
#define CALL3(name, a, b, c)    bare_call(SYS_##name, (long)(a), (long)(b), (long)(c), 0)
#define CALL4(name, a, b, c, d) bare_call(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d))

/*
 * The C library keeps 32 and 33 to itself, and a parent may have ignored them (as GNU make leaves
 * them). All zero is the default in the kernel's structure, and the empty set.
 */
IN_CHILD static void reset_signals(uint64_t changed)
{
	static const unsigned long standard[8];

	for (; changed; changed &= changed - 1)
		CALL4(rt_sigaction, __builtin_ctzll(changed) + 1, standard, NULL, SIGNAL_SET);
	CALL4(rt_sigprocmask, SIG_SETMASK, standard, NULL, SIGNAL_SET);
}

/* Puts the three descriptors to 0, 1, 2. They may stand in each other's place. */
IN_CHILD static long place_descriptors(const int fds[3])
{
	long mine[3], failed = 0;

	for (int i = 0; i < 3; i++) {
		mine[i] = fds[i];
		if (fds[i] >= 0 && fds[i] < 3 && fds[i] != i)
			mine[i] = CALL3(fcntl, fds[i], F_DUPFD_CLOEXEC, 3);
		if (mine[i] < 0 && fds[i] >= 0)
			return mine[i];
	}
	for (int i = 0; i < 3 && failed >= 0; i++) {
		if (mine[i] == i)
			failed = CALL3(fcntl, i, F_SETFD, 0);
		else if (mine[i] >= 0)
			failed = CALL3(dup3, mine[i], i, 0);
	}
	return failed < 0 ? failed : 0;
}

/* Sockets for the command, from 3 on; what stands there may be one that comes later. */
IN_CHILD static long place_passed(const struct passed *passed)
{
	int n = (int)passed->n;
	long high[PASSED_MOST];

	for (int i = 0; i < n; i++) {
		high[i] = CALL3(fcntl, passed->fds[i], F_DUPFD_CLOEXEC, 3 + n);
		if (high[i] < 0)
			return high[i];
	}
	for (int i = 0; i < n; i++) {
		long failed = CALL3(dup3, high[i], 3 + i, 0);

		if (failed < 0)
			return failed;
	}
	return 0;
}

/* Digits from the left, without a library: errno and the locale are the parent's. */
IN_CHILD static void write_number(char *at, long number)
{
	char digits[16];
	int n = 0;

	for (; number > 0; number /= 10)
		digits[n++] = (char)('0' + number % 10);
	while (n > 0)
		*at++ = digits[--n];
	*at = '\0';
}

/* An entry as getdents64(2) gives it. */
struct listed {
	uint64_t inode;
	int64_t next;
	uint16_t length;
	uint8_t type;
	char name[];
};

/* -1 for what is no number: "." and "..". */
IN_CHILD static int number_of(const char *name)
{
	int number = 0;

	for (; *name >= '0' && *name <= '9'; name++)
		number = 10 * number + *name - '0';
	return *name ? -1 : number;
}

/* Those that /proc names, however high. Its entries stand at their numbers: closing moves none. */
IN_CHILD static long close_listed(int first)
{
	_Alignas(struct listed) char buffer[2048] = {0};
	long folder = CALL3(openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n = folder;

	while (n >= 0 && (n = CALL3(getdents64, folder, buffer, sizeof buffer)) > 0)
		for (long at = 0; at < n;) {
			const struct listed *entry = (const void *)(buffer + at);
			int fd = number_of(entry->name);

			if (fd >= first && fd != folder)
				CALL1(close, fd);
			at += entry->length;
		}
	return n;
}

/*
 * Everything else of ours is close-on-exec; what evwatch itself inherited may not be. Before Linux
 * 5.9 one by one; without /proc those that a limit of the usual size allows.
 */
IN_CHILD static void close_others(int first)
{
#ifdef SYS_close_range
	if (CALL3(close_range, first, ~0u, 0) == 0)
		return;
#endif
	if (close_listed(first) == 0)
		return;
	for (int fd = first; fd < 1024; fd++)
		CALL1(close, fd);
}

IN_CHILD static long change_user(const struct user *u)
{
	/* The order matters: without privileges no group can be changed any more. */
	long failed = CALL2(setgroups, u->n_groups, u->groups);

	if (failed >= 0)
		failed = CALL3(setresgid, u->gid, u->gid, u->gid);
	if (failed >= 0)
		failed = CALL3(setresuid, u->uid, u->uid, u->uid);
	return failed;
}

IN_CHILD static long add_niceness(int more)
{
	long now = CALL2(getpriority, PRIO_PROCESS, 0); /* by the bare call it is 40 to 1 */

	return now < 0 ? now : CALL3(setpriority, PRIO_PROCESS, 0, NICENESS_BIAS - now + more);
}

/* Returns 0, or -errno with b->step. */
IN_CHILD static long enter_surroundings(struct birth *b, const struct surroundings *s)
{
	long failed = 0;

	if (s->nice) {
		b->step = "change the niceness";
		failed = add_niceness(s->nice);
	}
	if (s->umask >= 0)
		CALL1(umask, s->umask);
	if (failed >= 0 && s->change_user) {
		b->step = "change to the user";
		failed = change_user(&s->user);
	}
	if (failed >= 0 && s->cwd) {
		b->step = STEP_CHDIR;
		failed = CALL1(chdir, s->cwd);
	}
	if (failed >= 0 && s->no_new_privs) {
		b->step = "set no_new_privs";
		failed = CALL4(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0);
	}
	return failed;
}

/* One candidate. Returns only when it could not be executed: -errno. */
IN_CHILD static long execute(struct birth *b, const char *file)
{
	const struct launch *l = b->launch;
	long failed = CALL3(execve, file, l->argv, l->envp);

	if (failed != -ENOEXEC)
		return failed;
	b->script_argv[1] = (char *)(uintptr_t)file;
	return CALL3(execve, b->script_argv[0], b->script_argv, l->envp);
}

/* Along PATH, as execvp(3) does; EACCES is remembered, for it says more than ENOENT. */
IN_CHILD static long search(struct birth *b, const char *name)
{
	char file[PATH_MAX];
	size_t length = strlen(name);
	bool denied = false;

	for (const char *dir = b->path;; dir++) {
		size_t n = strcspn(dir, ":");

		if (n + length + 2 <= sizeof file) {
			long failed;

			memcpy(file, dir, n);
			file[n] = '/';
			memcpy(file + n + (n > 0), name, length + 1);
			if (n == 0)
				memcpy(file, name, length + 1);
			failed = execute(b, file);
			denied |= failed == -EACCES;
			if (failed != -ENOENT && failed != -ENOTDIR && failed != -EACCES)
				return failed;
		}
		dir += n;
		if (!*dir)
			break;
	}
	return denied ? -EACCES : -ENOENT;
}

/* All of it. Returns -errno of what failed, with b->step. */
IN_CHILD static long be_born(struct birth *b)
{
	const struct launch *l = b->launch;
	long failed;

	b->step = "prepare";
	/* Another user's command must not reach this terminal (TIOCSTI). */
	failed = l->around->change_user ? CALL0(setsid) : CALL2(setpgid, 0, 0);
	if (failed < 0)
		return failed;
	if (l->foreground) { /* signals are still blocked: a background group may take it */
		int group = (int)CALL0(getpid);

		CALL3(ioctl, 0, TIOCSPGRP, &group);
	}
	reset_signals(b->changed_signals);
	failed = place_descriptors(l->fds);
	if (failed >= 0 && l->passed)
		failed = place_passed(l->passed);
	if (failed < 0)
		return failed;
	if (l->pid_text)
		write_number(l->pid_text, CALL0(getpid));
	if (l->inherited->slack)
		CALL2(prctl, PR_SET_TIMERSLACK, l->inherited->slack);
	failed = enter_surroundings(b, l->around);
	if (failed < 0)
		return failed;
	/* Should the loop die while somebody has stopped the guardian; a change of user ends it. */
	CALL2(prctl, PR_SET_PDEATHSIG, SIGKILL);
	close_others(l->passed ? 3 + (int)l->passed->n : 3);
	b->step = STEP_EXECUTE;
	return strchr(l->argv[0], '/') ? execute(b, l->argv[0]) : search(b, l->argv[0]);
}

IN_CHILD int birth_child(void *birth)
{
	struct birth *b = birth;

	if (b->overlaps)
		CALL1(set_tid_address, &b->here);
	b->error = (int)-be_born(b);
	for (;;)
		CALL1(exit_group, b->error == ENOENT ? 127 : 126);
}
