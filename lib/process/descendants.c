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

/* By its environment, as to a mark. */
enum belonging { BELONGS_UNREAD, BELONGS, BELONGS_TO_OTHERS, BELONGS_AS_ITS_PARENT };

struct process {
	pid_t pid, parent, group;
	bool dead; /* a zombie: it only waits to be reaped */
	enum belonging belonging;
};

struct processes {
	struct process *items;
	size_t count, capacity;
};

/* Reads /proc/PID/stat: state, parent and group stand behind the last parenthesis (proc(5)). */
static bool process_read(pid_t pid, struct process *p)
{
	char path[32], text[512];
	const char *behind;
	ssize_t n;
	int fd, parent, group;
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
	if (!behind || sscanf(behind + 1, " %c %d %d", &state, &parent, &group) != 3)
		return false;
	*p = (struct process){
	    .pid = pid,
	    .parent = (pid_t)parent,
	    .group = (pid_t)group,
	    .dead = state == 'Z' || state == 'X',
	};
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

static struct process *process_find(const struct processes *all, pid_t pid)
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
	if (p->dead || kill(p->pid, signal) < 0)
		return false;
	if (signal && signal != SIGKILL)
		kill(p->pid, SIGCONT); /* a stopped process would not hear of it */
	return true;
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

/* A command has an environment of 128 KiB at most here; what is beyond is not looked at. */
enum { ENVIRONMENT = 128 * 1024 };

/* Does NAME=VALUE, or with `whole` false what begins so, stand in it? */
static bool has_variable(const char *text, size_t length, const char *variable, bool whole)
{
	size_t n = strlen(variable) + whole;

	for (const char *at = text; at < text + length; at += strlen(at) + 1)
		if ((size_t)(text + length - at) >= n && memcmp(at, variable, n) == 0)
			return true;
	return false;
}

/* What may not be read is not ours to end. `text` has ENVIRONMENT bytes of room. */
static enum belonging belonging_read(pid_t pid, const char *variable, char *text)
{
	char path[32];
	size_t length = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return BELONGS_TO_OTHERS;
	while (length < ENVIRONMENT - 1 &&
	       (n = read(fd, text + length, ENVIRONMENT - 1 - length)) > 0)
		length += (size_t)n;
	close(fd);
	text[length] = '\0';
	if (has_variable(text, length, variable, true))
		return BELONGS;
	return has_variable(text, length, "EVWATCH_RULE=", false) ? BELONGS_TO_OTHERS
								  : BELONGS_AS_ITS_PARENT;
}

/* Up to the first one that says it itself. */
static bool belongs(const struct processes *all, struct process *p, const char *variable,
		    char *text)
{
	for (size_t steps = 0; p && p->pid != getpid() && steps <= all->count; steps++) {
		if (p->belonging == BELONGS_UNREAD)
			p->belonging = belonging_read(p->pid, variable, text);
		if (p->belonging != BELONGS_AS_ITS_PARENT)
			return p->belonging == BELONGS;
		p = process_find(all, p->parent);
	}
	return false;
}

int descendants_signal_marked(const char *value, pid_t group, int signal)
{
	struct processes all = {0};
	char *text, *variable = NULL;
	int found = 0;

	if (!has_children())
		return 0;
	text = malloc(ENVIRONMENT);
	if (text && asprintf(&variable, "%s=%s", MARK, value) >= 0)
		processes_read(&all);
	else
		variable = NULL;
	for (size_t i = 0; i < all.count; i++) {
		struct process *p = &all.items[i];

		if (p->group != group && !p->dead && descends_from(&all, p, getpid()) &&
		    belongs(&all, p, variable, text))
			found += process_signal(p, signal);
	}
	free(variable);
	free(text);
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
