/*
 * Starting a command without copying the parent. See launch.h; what the child does is in birth.c.
 *
 * A start that waits costs the least for one command after the other (vfork(2)). Where several
 * run, a waiting parent would leave a processor idle: there the child gets a stack that lives on,
 * and the parent goes on at once. Nothing tells it of the exec, and nothing needs to: a child that
 * cannot execute its command ends, and its birth says why.
 *
 * A command of another user is started apart: a plain fork, of which the parent shares no more than
 * the birth itself. From the change of the user on, that user may stop the child, which would stop
 * a parent that waits, or end it with a core dump, which ends all who have the same memory.
 */
#include "process/launch.h"

#include "process/bare.h"
#include "process/birth.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Valgrind knows threads and forks, and nothing between: make valgrind defines it. */
#ifdef STARTS_WAIT
#define STARTS_OVERLAP false
#else
#define STARTS_OVERLAP CALLS_ARE_BARE
#endif

enum { STACK = 64 * 1024, GUARD = 64 * 1024 /* a page, everywhere */ };
enum { FIRST_SIGNAL = 1, LAST_SIGNAL = 64, EXACT = 1 };

struct start {
	struct birth birth;
	struct launch launch;  /* owned */
	struct start **holder; /* where its run keeps it; NULL: this place is free */
	bool apart;            /* it has memory of its own, and is no place */
};

/* ---- stacks ---------------------------------------------------------------------------------- */

/* A stack with `beyond` bytes behind its end, which is returned; below it no memory is touched. */
static void *stack_map(size_t beyond)
{
	char *map = mmap(NULL, GUARD + STACK + beyond, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (map == MAP_FAILED)
		return NULL;
	if (mprotect(map, GUARD, PROT_NONE) == 0)
		return map + GUARD + STACK;
	munmap(map, GUARD + STACK + beyond);
	return NULL;
}

static void stack_unmap(void *end, size_t beyond)
{
	if (end)
		munmap((char *)end - STACK - GUARD, GUARD + STACK + beyond);
}

/* ---- signals --------------------------------------------------------------------------------- */

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

/* ---- births ---------------------------------------------------------------------------------- */

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

static int birth_prepare(struct birth *b, const struct launch *l, bool overlaps)
{
	*b = (struct birth){.launch = l,
			    .path = path_of(l->envp),
			    .script_argv = script_arguments(l),
			    .changed_signals = changed_signals(l),
			    .overlaps = overlaps,
			    .here = overlaps};
	return b->script_argv ? 0 : -1;
}

/*
 * Gives the child this stack in our memory; NULL: memory of its own. Returns the pid, or -1 with
 * errno.
 */
static pid_t give_birth(struct birth *b, void *stack)
{
	int flags = CLONE_VM | SIGCHLD | (b->overlaps ? 0 : CLONE_VFORK), why;
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = stack ? clone(birth_child, stack, flags, b) : fork();
	if (!stack && pid == 0)
		birth_child(b);
	why = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = why;
	return pid;
}

/* The exec is waited for. */
static pid_t start_waited(struct starts *all, struct launch *l, const char **step)
{
	struct birth b;
	pid_t pid;

	if (!all->stack && !(all->stack = stack_map(0)))
		return -1;
	if (birth_prepare(&b, l, false) < 0)
		return -1;
	pid = give_birth(&b, all->stack);
	free(b.script_argv);
	if (pid >= 0 && b.error) {
		/* It is gone already: this wait is over at once, and its error tells more. */
		waitpid(pid, NULL, 0);
		*step = b.step;
		errno = b.error;
		return -1;
	}
	return pid;
}

/* ---- starts that nobody waits for ------------------------------------------------------------ */

static void start_release(struct start *s)
{
	int why = errno;

	*s->holder = NULL;
	s->holder = NULL;
	free(s->birth.script_argv);
	launch_release(&s->launch);
	if (s->apart)
		munmap(s, sizeof *s);
	errno = why;
}

/* Has its child executed its command? Those that failed are kept: their end tells why. */
static bool is_over(struct start *s)
{
	return s->holder && !atomic_load(&s->birth.here) && !s->birth.error;
}

/* A free place, made now if need be; NULL: there is none. */
static struct start *find_place(struct starts *all)
{
	for (int i = 0; i < STARTS; i++) {
		struct start **place = &all->places[i];

		if (!*place)
			return *place = stack_map(sizeof **place); /* all zero: free */
		if (is_over(*place))
			start_release(*place);
		if (!(*place)->holder)
			return *place;
	}
	return NULL;
}

/* `stack` as give_birth takes it. What `l` holds goes over to `s`, and `s` to its holder. */
static pid_t start_begin(struct start *s, void *stack, struct launch *l, struct start **holder)
{
	pid_t pid;

	s->launch = *l;
	if (birth_prepare(&s->birth, &s->launch, stack != NULL) < 0)
		return -1;
	pid = give_birth(&s->birth, stack);
	if (pid < 0) {
		int why = errno;

		free(s->birth.script_argv);
		errno = why;
		return -1;
	}
	s->holder = holder;
	*holder = s;
	l->argv = l->envp = NULL;
	l->strings = NULL;
	l->cuts = NULL;
	l->n_cuts = 0;
	return pid;
}

static pid_t start_apart(struct launch *l, struct start **holder)
{
	struct start *s =
	    mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (s == MAP_FAILED)
		return -1;
	s->apart = true;
	pid = start_begin(s, NULL, l, holder);
	if (pid < 0) {
		int why = errno;

		munmap(s, sizeof *s);
		errno = why;
	}
	return pid;
}

pid_t launch_start(struct starts *all, struct launch *l, bool beside, struct start **s,
		   const char **step)
{
	struct start *place;

	*step = "start";
	if (l->around->change_user)
		return start_apart(l, s);
	place = beside && STARTS_OVERLAP ? find_place(all) : NULL;
	return place ? start_begin(place, place, l, s) : start_waited(all, l, step);
}

int start_end(struct start **start, const char **step)
{
	int why = 0;

	if (*start) {
		why = (*start)->birth.error;
		*step = (*start)->birth.step;
		start_release(*start);
	}
	return why;
}

void start_abandon(struct start **start, pid_t pid)
{
	struct start *s = *start;

	if (!s)
		return;
	if (s->apart || atomic_load(&s->birth.here))
		kill(pid, SIGKILL);
	/* Its memory is in use until it is gone. */
	while (!s->apart && atomic_load(&s->birth.here) && waitpid(pid, NULL, 0) < 0 &&
	       errno == EINTR)
		;
	start_release(s);
}

void starts_close(struct starts *all)
{
	for (int i = 0; i < STARTS; i++)
		stack_unmap(all->places[i], sizeof *all->places[i]);
	stack_unmap(all->stack, 0);
	*all = (struct starts){0};
}
