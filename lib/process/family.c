/* See family.h. */
#include "process/family.h"

#include "base/array.h"
#include "base/proc.h"
#include "base/scan.h"
#include "reactor/reactor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	READINGS = 4, /* a machine that is never still is believed in the end */
	A_STEP = 200, /* children of one list */
};

/* What /proc/PID/stat says. */
struct stated {
	char state;
	int parent, group, threads;
};

/* State, parent, group and threads stand behind the last parenthesis (proc(5)). */
static bool stat_read(pid_t pid, struct stated *s)
{
	char text[512];
	char state[2];
	const char *at;
	uint64_t parent, group, threads;

	proc_text_of(pid, "stat", text, sizeof text);
	at = strrchr(text, ')');
	if (!at || !scan_char(&at, ')') || !scan_word(&at, "", state, sizeof state) ||
	    !scan_number(&at, 10, &parent) || !scan_number(&at, 10, &group) ||
	    !scan_skip(&at, 14) || !scan_number(&at, 10, &threads))
		return false;
	*s = (struct stated){*state, (int)parent, (int)group, (int)threads};
	return true;
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

static void open_list(struct family_walk *w, pid_t pid, pid_t thread, size_t place)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)thread);
	w->list = fopen(path, "re");
	w->list_place = place;
}

/* Each is followed by a blank. 0: that was all. */
static pid_t next_child(FILE *list)
{
	int c, pid = 0;

	while ((c = getc(list)) >= '0' && c <= '9')
		pid = pid * 10 + (c - '0');
	return pid;
}

static void step_list(struct family_walk *w)
{
	int n = 0;
	pid_t pid;

	while (n < A_STEP && (pid = next_child(w->list))) {
		add(&w->family, pid, w->list_place);
		n++;
	}
	if (n == A_STEP)
		return;
	fclose(w->list);
	w->list = NULL;
}

/* Each thread has the children that it made. */
static void open_threads(struct family_walk *w, pid_t pid, size_t place)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	w->entries = opendir(path);
	w->whose = pid;
	w->place = place;
}

/* ---- by the parents of all processes --------------------------------------------------------- */

static void census_add(struct census *c, pid_t pid)
{
	struct stated s;

	if (stat_read(pid, &s) && ARRAY_GROW(c->items, c->capacity, c->count + 1) == 0)
		c->items[c->count++] = (struct census_line){pid, (pid_t)s.parent};
}

static int by_parent(const void *a, const void *b)
{
	const struct census_line *one = a, *other = b;

	return (one->parent > other->parent) - (one->parent < other->parent);
}

/* Where the children of this one begin. */
static size_t census_find(const struct census *c, pid_t parent)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->items[middle].parent < parent)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* No more than there are: the list was not read in one instant. */
static void add_children_among(struct family *f, const struct census *c, pid_t pid, size_t place)
{
	for (size_t i = census_find(c, pid); i < c->count && c->items[i].parent == pid; i++)
		if (f->count <= c->count)
			add(f, c->items[i].pid, place);
}

static void census_end(struct family_walk *w)
{
	if (w->census.count)
		qsort(w->census.items, w->census.count, sizeof *w->census.items, by_parent);
	add_children_among(&w->family, &w->census, getpid(), FAMILY_HEAD);
}

/* ---- the walk -------------------------------------------------------------------------------- */

/* CONFIG_PROC_CHILDREN; a container's /proc may lack it, too. */
static bool has_lists(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	return access(path, R_OK) == 0;
}

static void begin_reading(struct family_walk *w)
{
	w->family.count = w->next = w->census.count = 0;
	w->still = true;
	w->readings++;
	if (w->by_lists)
		open_threads(w, getpid(), FAMILY_HEAD);
	else
		w->entries = opendir("/proc");
}

/* A thread, or a process of the machine. */
static void step_entry(struct family_walk *w)
{
	const struct dirent *entry = readdir(w->entries);
	pid_t id = entry ? (pid_t)atoi(entry->d_name) : 0;

	if (id > 0 && w->by_lists)
		open_list(w, w->whose, id, w->place);
	else if (id > 0)
		census_add(&w->census, id);
	if (entry)
		return;
	closedir(w->entries);
	w->entries = NULL;
	if (!w->by_lists)
		census_end(w);
}

static void step_relative(struct family_walk *w)
{
	size_t i = w->next++;
	pid_t pid = w->family.items[i].pid;
	struct stated s = {0};

	if (!complete(&w->family.items[i], &s))
		w->still = false;
	else if (!w->by_lists)
		add_children_among(&w->family, &w->census, pid, i);
	else if (s.threads > 1)
		open_threads(w, pid, i);
	else if (!w->family.items[i].dead)
		open_list(w, pid, pid, i);
}

/* False: it is over. */
static bool step(struct family_walk *w)
{
	if (w->list)
		step_list(w);
	else if (w->entries)
		step_entry(w);
	else if (w->next < w->family.count)
		step_relative(w);
	else if (!w->still && w->by_lists && w->readings < READINGS)
		begin_reading(w);
	else
		return false;
	return true;
}

void family_walk_start(struct family_walk *w)
{
	*w = (struct family_walk){.by_lists = has_lists()};
	begin_reading(w);
}

bool family_walk_go(struct family_walk *w, int64_t until)
{
	while (step(w))
		if (clock_read(CLOCK_OF_LOOP) >= until)
			return false;
	return true;
}

void family_walk_stop(struct family_walk *w)
{
	if (w->list)
		fclose(w->list);
	if (w->entries)
		closedir(w->entries);
	free(w->census.items);
	family_free(&w->family);
	*w = (struct family_walk){0};
}

/* ---- a family -------------------------------------------------------------------------------- */

bool family_holds(const struct family *f, const struct relative *r)
{
	struct stated s;

	return stat_read(r->pid, &s) &&
	       (s.parent == getpid() ||
		(r->parent != FAMILY_HEAD && s.parent == f->items[r->parent].pid));
}

void family_read(struct family *f)
{
	struct family_walk w;

	family_walk_start(&w);
	family_walk_go(&w, INT64_MAX);
	*f = w.family;
	w.family = (struct family){0};
	family_walk_stop(&w);
}

void family_free(struct family *f)
{
	free(f->items);
	*f = (struct family){0};
}
