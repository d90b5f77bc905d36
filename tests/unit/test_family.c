/* Who descends from this process: by lists of children, and where there are none. */
#include "process/family.h"

#include "process/descendants.h"
#include "tap.h"

#include <errno.h>
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

int main(void)
{
	descendants_adopt();
	test_chain("by lists");
	test_thread();
	has_no_lists = true;
	test_chain("without lists");
	return tap_done();
}
