/* See family.h. */
#include "process/family.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READINGS = 4 }; /* a machine that is never still is believed in the end */

/* What /proc/PID/stat says. */
struct stated {
	char state;
	int parent, group, threads;
};

/* State, parent, group and threads stand behind the last parenthesis (proc(5)). */
static bool stat_read(pid_t pid, struct stated *s)
{
	char text[512];
	const char *behind;

	proc_text_of(pid, "stat", text, sizeof text);
	behind = strrchr(text, ')');
	return behind && sscanf(behind + 1,
				" %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
				"%d",
				&s->state, &s->parent, &s->group, &s->threads) == 4;
}

static void add(struct family *f, pid_t pid, size_t parent)
{
	if (pid > 0 && ARRAY_GROW(f->items, f->capacity, f->count + 1) == 0)
		f->items[f->count++] = (struct relative){.pid = pid, .parent = parent};
}

/* What stat says of it. False: it no longer exists. */
static bool complete(struct relative *r, struct stated *s)
{
	bool there = stat_read(r->pid, s);

	r->dead = !there || s->state == 'Z' || s->state == 'X';
	r->group = there ? (pid_t)s->group : 0;
	return there;
}

/* ---- by lists of children -------------------------------------------------------------------- */

static void add_children_of(struct family *f, pid_t pid, pid_t thread, size_t parent)
{
	struct buf list = {0};
	char path[64];
	ssize_t n = 1;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && n > 0 && buf_reserve(&list, 4096) == 0) {
		n = read(fd, list.data + list.length, 4095);
		if (n > 0)
			list.length += (size_t)n;
	}
	fd_close(&fd);
	if (list.length) {
		char *at = list.data;

		list.data[list.length] = '\0';
		while (*at)
			add(f, (pid_t)strtol(at, &at, 10), parent), at += strspn(at, " ");
	}
	buf_free(&list);
}

/* Each thread has the children that it made. */
static void add_children_of_threads(struct family *f, pid_t pid, size_t parent)
{
	struct dirent *entry;
	char path[32];
	DIR *tasks;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks)))
		if (atoi(entry->d_name) > 0)
			add_children_of(f, pid, (pid_t)atoi(entry->d_name), parent);
	if (tasks)
		closedir(tasks);
}

/* False: somebody went meanwhile. */
static bool follow_children(struct family *f)
{
	bool still = true;

	f->count = 0;
	add_children_of_threads(f, getpid(), FAMILY_HEAD);
	for (size_t i = 0; i < f->count; i++) {
		pid_t pid = f->items[i].pid;
		struct stated s = {0};

		if (!complete(&f->items[i], &s))
			still = false;
		else if (s.threads > 1)
			add_children_of_threads(f, pid, i);
		else if (!f->items[i].dead)
			add_children_of(f, pid, pid, i);
	}
	return still;
}

/* ---- by the parents of all processes --------------------------------------------------------- */

struct everybody {
	struct census_line {
		pid_t pid, parent;
	} * items;
	size_t count, capacity;
};

static void read_everybody(struct everybody *all)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = (pid_t)atoi(entry->d_name);
		struct stated s;

		if (pid > 0 && stat_read(pid, &s) &&
		    ARRAY_GROW(all->items, all->capacity, all->count + 1) == 0)
			all->items[all->count++] = (struct census_line){pid, (pid_t)s.parent};
	}
	if (proc)
		closedir(proc);
}

static void add_children_among(struct family *f, const struct everybody *all, pid_t pid,
			       size_t parent)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].parent == pid)
			add(f, all->items[i].pid, parent);
}

static void follow_parents(struct family *f)
{
	struct everybody all = {0};

	f->count = 0;
	read_everybody(&all);
	add_children_among(f, &all, getpid(), FAMILY_HEAD);
	/* No more than there are: the list was not read in one instant. */
	for (size_t i = 0; i < f->count && f->count <= all.count; i++) {
		struct stated s;

		complete(&f->items[i], &s);
		add_children_among(f, &all, f->items[i].pid, i);
	}
	free(all.items);
}

/* ---- either way ------------------------------------------------------------------------------ */

/* CONFIG_PROC_CHILDREN; a container's /proc may lack it, too. */
static bool has_lists(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	return access(path, R_OK) == 0;
}

void family_read(struct family *f)
{
	*f = (struct family){0};
	if (!has_lists()) {
		follow_parents(f);
		return;
	}
	for (int i = 0; i < READINGS && !follow_children(f); i++)
		;
}

void family_free(struct family *f)
{
	free(f->items);
	*f = (struct family){0};
}
