/*
 * Descendants of this process: it is a subreaper, so that whatever loses its parent becomes its
 * child. They are found in /proc by following parents; when all direct children are killed, their
 * children become ours in turn, until none is left.
 */
#include "process/descendants.h"

#include "base/array.h"
#include "base/log.h"
#include "base/units.h"
#include "reactor/reactor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int descendants_adopt(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

#define PATIENCE (2 * NS_PER_S) /* with what does not die of KILL */

struct process {
	pid_t pid, parent;
	bool dead; /* a zombie: it only waits to be reaped */
};

struct processes {
	struct process *items;
	size_t count, capacity;
};

/* Reads /proc/PID/stat: the state and the parent stand behind the last parenthesis (proc(5)). */
static bool process_read(pid_t pid, struct process *p)
{
	char path[32], text[512];
	const char *behind;
	ssize_t n;
	int fd, parent;
	char state;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	behind = strrchr(text, ')');
	if (!behind || sscanf(behind + 1, " %c %d", &state, &parent) != 2)
		return false;
	*p = (struct process){pid, (pid_t)parent, state == 'Z' || state == 'X'};
	return true;
}

/* All processes that there are; `items` is the caller's to free. */
static void processes_read(struct processes *all)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid <= 0 || ARRAY_GROW(all->items, all->capacity, all->count + 1) < 0)
			continue;
		if (process_read(pid, &all->items[all->count]))
			all->count++;
	}
	if (proc)
		closedir(proc);
}

static const struct process *process_find(const struct processes *all, pid_t pid)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].pid == pid)
			return &all->items[i];
	return NULL;
}

static bool descends_from(const struct processes *all, const struct process *p, pid_t ancestor)
{
	/* As many steps as there are processes: the list was not read in one instant. */
	for (size_t steps = 0; p && p->parent > 0 && steps <= all->count; steps++) {
		if (p->parent == ancestor)
			return true;
		p = process_find(all, p->parent);
	}
	return false;
}

/* A subreaper without a child has no descendant, and need not read all of /proc to know it. */
static bool has_children(void)
{
	siginfo_t si;

	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD;
}

/* Reaps it, or gives it the signal. True: it is still to end. */
static bool process_signal(const struct process *p, int signal)
{
	if (p->dead && p->parent == getpid())
		waitpid(p->pid, NULL, WNOHANG);
	return !p->dead && kill(p->pid, signal) == 0;
}

int descendants_signal(int signal)
{
	struct processes all = {0};
	int found = 0;

	if (!has_children())
		return 0;
	processes_read(&all);
	for (size_t i = 0; i < all.count; i++)
		if (descends_from(&all, &all.items[i], getpid()))
			found += process_signal(&all.items[i], signal);
	free(all.items);
	return found;
}

static void name_of(pid_t pid, char *name, size_t size)
{
	char path[32];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, name, size - 1);
		close(fd);
	}
	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

void process_give_up(const char *rule, pid_t pid, int why)
{
	char name[32];

	name_of(pid, name, sizeof name);
	log_warn(rule, "cannot end process %d (%s): %s; it is left running", (int)pid, name,
		 why ? strerror(why) : "KILL has no effect");
}

void descendants_give_up(void)
{
	struct processes all = {0};

	if (!has_children())
		return;
	processes_read(&all);
	for (size_t i = 0; i < all.count; i++) {
		const struct process *p = &all.items[i];

		if (!p->dead && descends_from(&all, p, getpid()))
			process_give_up(NULL, p->pid, kill(p->pid, 0) < 0 ? errno : 0);
	}
	free(all.items);
}

void descendants_end(void)
{
	struct timespec moment = {0, NS_PER_MS};
	int64_t last = clock_read(CLOCK_OF_LOOP) + PATIENCE;

	while (descendants_signal(SIGKILL) > 0 && clock_read(CLOCK_OF_LOOP) < last) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		nanosleep(&moment, NULL);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}
