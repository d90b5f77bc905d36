/* Who descends from this process: by lists of children, and where there are none; sweeps. */
#include "process/family.h"

#include "base/list.h"
#include "base/units.h"
#include "process/descendants.h"
#include "process/sweep.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static bool has_no_lists;

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);

int __wrap_access(const char *path, int mode)
{
	if (has_no_lists && strstr(path, "/children")) {
		errno = ENOENT;
		return -1;
	}
	return __real_access(path, mode);
}

static int64_t fast; /* the clock has gone this far ahead */
static bool is_fast; /* each look at the clock takes 1 ms */

int64_t __real_clock_read(enum clock clock);
int64_t __wrap_clock_read(enum clock clock);

int64_t __wrap_clock_read(enum clock clock)
{
	fast += is_fast ? NS_PER_MS : 0;
	return __real_clock_read(clock) + fast;
}

static const struct relative *find(const struct family *f, pid_t pid)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->items[i].pid == pid)
			return &f->items[i];
	return NULL;
}

static pid_t parent_of(const struct family *f, pid_t pid)
{
	const struct relative *r = find(f, pid);

	if (!r)
		return 0;
	return r->parent == FAMILY_HEAD ? getpid() : f->items[r->parent].pid;
}

/* A chain of processes below this one that all wait; their pids. */
static void chain_start(pid_t *pids, size_t n)
{
	int said[2];

	if (pipe(said) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			pid = getpid();
			if (write(said[1], &pid, sizeof pid) < 0 || i == n - 1)
				for (;;)
					pause();
			continue; /* the next one is its child */
		}
		if (i == 0)
			break;
		for (;;)
			pause();
	}
	for (size_t i = 0; i < n; i++)
		if (read(said[0], &pids[i], sizeof pids[i]) < 0)
			pids[i] = 0;
	close(said[0]);
	close(said[1]);
}

static void test_chain(const char *way)
{
	struct family f;
	pid_t pids[4] = {0};

	chain_start(pids, 4);
	family_read(&f);
	SAME(f.count, 4, "%s: all of a chain are found, and no other process", way);
	SAME(parent_of(&f, pids[0]), getpid(), "%s: the first one is a child of this process", way);
	for (int i = 1; i < 4; i++)
		SAME(parent_of(&f, pids[i]), pids[i - 1], "%s: number %d has its parent", way, i);
	SAME(find(&f, pids[3])->group, getpgrp(), "%s: its group is known", way);
	family_free(&f);

	kill(pids[1], SIGKILL);
	do
		family_free(&f), family_read(&f);
	while (parent_of(&f, pids[2]) != getpid());
	OK(find(&f, pids[1]) == NULL || find(&f, pids[1])->dead, "%s: one that died is dead", way);
	SAME(parent_of(&f, pids[3]), pids[2], "%s: an orphan comes with what is below it", way);
	family_free(&f);
	descendants_end();
	family_read(&f);
	SAME(f.count, 0, "%s: of those that were ended none is left", way);
	family_free(&f);
}

static void *start_and_wait(void *said)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	*(pid_t *)said = pid;
	return NULL;
}

/* The thread that made it may be over. */
static void test_thread(void)
{
	struct family f;
	pthread_t thread;
	pid_t pid = 0;

	pthread_create(&thread, NULL, start_and_wait, &pid);
	pthread_join(thread, NULL);
	family_read(&f);
	SAME(parent_of(&f, pid), getpid(), "a child of another thread is found");
	family_free(&f);
	descendants_end();
}

/* ---- sweeps ---------------------------------------------------------------------------------- */

enum { MARKED = 40 };

/* Sleeps, with this environment alone. Returns its pid once it is executed. */
static pid_t sleeper_start(const char *variable)
{
	char *environment[] = {(char *)(uintptr_t)variable, NULL};
	int executed[2];
	char none;
	pid_t pid;

	if (pipe2(executed, O_CLOEXEC) < 0)
		return 0;
	pid = fork();
	if (pid == 0) {
		execle("/bin/sleep", "sleep", "1000", NULL, environment);
		_exit(127);
	}
	close(executed[1]);
	while (read(executed[0], &none, 1) > 0)
		;
	close(executed[0]);
	return pid;
}

struct beside {
	struct timer timer;
	struct sweep sweep;
	int turns, calls;
	size_t found;
};

static void on_beside(struct reactor *r, struct timer *t)
{
	struct beside *b = CONTAINER_OF(t, struct beside, timer);

	b->turns++;
	timer_start_soon(r, t);
}

static void on_swept(struct sweep *s, int signal, size_t found)
{
	struct beside *b = CONTAINER_OF(s, struct beside, sweep);

	b->calls++;
	b->found = found;
	SAME(signal, SIGKILL, "the call says which signal was given");
	timer_stop(s->reactor, &b->timer);
	reactor_stop(s->reactor);
}

static void test_sweep(const char *way)
{
	struct reactor_error why;
	struct reactor *r = reactor_new(NULL, &why);
	struct beside b = {0};
	pid_t other;

	for (int i = 0; i < MARKED; i++)
		sleeper_start(MARK "=mine");
	other = sleeper_start(MARK "=mine2");
	sweep_init(&b.sweep, r, on_swept);
	timer_init(&b.timer, CLOCK_OF_LOOP, on_beside);
	timer_start_soon(r, &b.timer);
	is_fast = true;
	sweep_start(&b.sweep, "mine", 0, SIGKILL);
	OK(sweep_active(&b.sweep), "%s: a sweep that takes long goes on in later turns", way);
	while (!b.calls)
		reactor_run(r);
	is_fast = false;
	SAME(b.found, MARKED, "%s: all that carry the mark are given the signal", way);
	OK(b.turns >= MARKED / 2, "%s: others are served after each 2 ms of it", way);
	OK(kill(other, 0) == 0 && waitpid(other, NULL, WNOHANG) == 0, "%s: others live", way);
	SAME(b.calls, 1, "%s: it is over once", way);
	sweep_start(&b.sweep, "nobody", 0, SIGKILL);
	while (b.calls < 2)
		reactor_run(r);
	SAME(b.found, 0, "%s: of a mark that nobody carries none is found", way);
	descendants_end();
	reactor_free(r);
}

int main(void)
{
	descendants_adopt();
	test_chain("by lists");
	test_thread();
	test_sweep("by lists");
	has_no_lists = true;
	test_chain("without lists");
	test_sweep("without lists");
	return tap_done();
}
