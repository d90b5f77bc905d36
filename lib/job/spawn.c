/*
 * Starting a command without copying the parent. See launch.h.
 *
 * Between clone and exec the child runs in the parent's memory while the parent waits: it must only
 * make system calls, and no handler of the parent may run in it. So all signals are blocked before,
 * and given their default disposition before they are unblocked.
 */
#include "job/launch.h"

#include "base/fd.h"

#include "reactor/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK = 64 * 1024, FIRST_SIGNAL = 1, LAST_SIGNAL = 64, EXACT = 1 };

/* Shared by parent and child: the same memory. */
struct birth {
	struct launch *launch;
	const char *path;   /* of the child's environment */
	char **script_argv; /* shell, a place for the file, arguments: for files without #! */
	int error;
	const char *step;
	uint64_t changed_signals; /* a bit each */
};

#define IN_CHILD __attribute__((no_sanitize("address", "undefined")))

/*
 * By the bare system call: the C library keeps 32 and 33 to itself, and a parent may have ignored
 * them (as GNU make leaves them). All zero is the default in the kernel's structure.
 */
IN_CHILD static void reset_signals(uint64_t changed)
{
	static const unsigned long standard[8];
	sigset_t none;

	for (; changed; changed &= changed - 1)
		syscall(SYS_rt_sigaction, __builtin_ctzll(changed) + FIRST_SIGNAL, standard, NULL,
			8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static uint64_t bit_of(int signal)
{
	return UINT64_C(1) << (signal - FIRST_SIGNAL);
}

/* All that are not at their default. To reset all 64 costs 4 % of a short command. */
static uint64_t changed_signals(const struct launch *l)
{
	uint64_t changed = l->inherited->signals;

	for (int s = FIRST_SIGNAL; s <= LAST_SIGNAL; s++)
		if (reactor_signal_watched(l->reactor, s))
			changed |= bit_of(s);
	return changed;
}

/* Puts the three descriptors to 0, 1, 2. They may stand in each other's place. */
IN_CHILD static int place_descriptors(const int fds[3])
{
	int mine[3];

	for (int i = 0; i < 3; i++) {
		mine[i] = fds[i];
		if (mine[i] >= 0 && mine[i] < 3 && mine[i] != i)
			mine[i] = fcntl(mine[i], F_DUPFD_CLOEXEC, 3);
		if (mine[i] < 0 && fds[i] >= 0)
			return -1;
	}
	for (int i = 0; i < 3; i++) {
		if (mine[i] == i && fcntl(i, F_SETFD, 0) < 0)
			return -1;
		if (mine[i] >= 0 && mine[i] != i && dup2(mine[i], i) < 0)
			return -1;
	}
	return 0;
}

/* Everything else of ours is close-on-exec; what evwatch itself inherited may not be. */
IN_CHILD static void close_others(void)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, 3, ~0u, 0) == 0)
		return;
#endif
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
}

IN_CHILD static int change_user(const struct surroundings *s)
{
	int n = s->n_groups;

	/* The order matters: without privileges no group can be changed any more. */
	if (syscall(SYS_setgroups, n ? (size_t)n : 1, n ? s->groups : &s->gid) < 0)
		return -1;
	if (syscall(SYS_setresgid, s->gid, s->gid, s->gid) < 0)
		return -1;
	return syscall(SYS_setresuid, s->uid, s->uid, s->uid) < 0 ? -1 : 0;
}

/* Returns NULL, or the name of the step that failed. */
IN_CHILD static const char *enter_surroundings(const struct surroundings *s)
{
	if (s->nice) {
		int now;

		errno = 0;
		now = getpriority(PRIO_PROCESS, 0);
		if ((now == -1 && errno) || setpriority(PRIO_PROCESS, 0, now + s->nice) < 0)
			return "change the niceness";
	}
	if (s->umask >= 0)
		umask((mode_t)s->umask);
	if (s->change_user && change_user(s) < 0)
		return "change to the user";
	if (s->cwd && chdir(s->cwd) < 0)
		return STEP_CHDIR;
	return NULL;
}

/* One candidate. Returns only when it could not be executed. */
IN_CHILD static void execute(struct birth *b, const char *file)
{
	struct launch *l = b->launch;

	execve(file, l->argv, l->envp);
	if (errno != ENOEXEC)
		return;
	b->script_argv[1] = (char *)(uintptr_t)file;
	execve(b->script_argv[0], b->script_argv, l->envp);
}

/* Along PATH, as execvp(3) does; EACCES is remembered, for it says more than ENOENT. */
IN_CHILD static void search(struct birth *b, const char *name)
{
	char file[PATH_MAX];
	size_t length = strlen(name);
	bool denied = false;

	for (const char *dir = b->path;; dir++) {
		size_t n = strcspn(dir, ":");

		if (n + length + 2 <= sizeof file) {
			memcpy(file, dir, n);
			file[n] = '/';
			memcpy(file + n + (n > 0), name, length + 1);
			if (n == 0)
				memcpy(file, name, length + 1);
			execute(b, file);
			denied |= errno == EACCES;
			if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
				return;
		}
		dir += n;
		if (!*dir)
			break;
	}
	errno = denied ? EACCES : ENOENT;
}

IN_CHILD static int child_main(void *argument)
{
	struct birth *b = argument;
	struct launch *l = b->launch;
	pid_t self = getpid();

	b->step = "prepare";
	if (setpgid(0, 0) == 0) {
		/* Signals are still blocked: a background group may take the terminal. */
		if (l->foreground)
			tcsetpgrp(0, self);
		reset_signals(b->changed_signals);
		if (place_descriptors(l->fds) == 0) {
			if (l->inherited->slack)
				prctl(PR_SET_TIMERSLACK, l->inherited->slack, 0L, 0L, 0L);
			b->step = enter_surroundings(l->around);
			if (!b->step) {
				close_others();
				b->step = STEP_EXECUTE;
				if (strchr(l->argv[0], '/'))
					execute(b, l->argv[0]);
				else
					search(b, l->argv[0]);
			}
		}
	}
	b->error = errno;
	_exit(errno == ENOENT ? 127 : 126);
}

void inherited_take(struct inherited *i)
{
	int slack = prctl(PR_GET_TIMERSLACK, 0L, 0L, 0L, 0L);

	*i = (struct inherited){0};
	for (int s = FIRST_SIGNAL; s <= LAST_SIGNAL; s++) {
		unsigned long now[8] = {0};

		if (syscall(SYS_rt_sigaction, s, NULL, now, 8) == 0 && now[0])
			i->signals |= bit_of(s);
	}
	if (slack > EXACT && prctl(PR_SET_TIMERSLACK, (unsigned long)EXACT, 0L, 0L, 0L) == 0)
		i->slack = (unsigned long)slack;
}

static const char *path_of(char *const *envp)
{
	for (; *envp; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return "/usr/local/bin:/usr/bin:/bin";
}

/* shell, (file), the arguments behind the first */
static char **script_arguments(const struct launch *l)
{
	size_t n = 0;
	char **words;

	while (l->argv[n])
		n++;
	words = calloc(n + 2, sizeof *words);
	if (!words)
		return NULL;
	words[0] = (char *)(uintptr_t) "/bin/sh";
	for (size_t i = 1; i < n; i++)
		words[i + 1] = l->argv[i];
	return words;
}

pid_t launch_start(struct launch *l, const char **step)
{
	_Alignas(16) char stack[STACK];
	struct birth b = {
	    .launch = l, .path = path_of(l->envp), .changed_signals = changed_signals(l)};
	sigset_t all, before;
	int saved;
	pid_t pid;

	*step = "start";
	b.script_argv = script_arguments(l);
	if (!b.script_argv)
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = clone(child_main, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &b);
	saved = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(b.script_argv);
	errno = saved;
	if (pid >= 0 && b.error) {
		/* It is gone already: this wait is over at once, and its error tells more. */
		waitpid(pid, NULL, 0);
		*step = b.step;
		errno = b.error;
		return -1;
	}
	return pid;
}
