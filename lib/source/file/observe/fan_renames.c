/* What belongs to a rename; see fan_renames.h. */
#include "source/file/observe/fan_renames.h"

#include <stdlib.h>
#include <string.h>

/* ---- tables ---------------------------------------------------------------------------------- */

static uint64_t hash_of_place(const void *place)
{
	return hash_bytes(place, sizeof(size_t));
}

static uint64_t hash_at_place(const void *r)
{
	return hash_of_place(&((const struct fan_rename *)r)->at);
}

static bool is_at_place(const void *r, const void *place)
{
	return ((const struct fan_rename *)r)->at == *(const size_t *)place;
}

static uint64_t hash_of_pid(const void *pid)
{
	return hash_bytes(pid, sizeof(int32_t));
}

static uint64_t hash_by_pid(const void *r)
{
	return hash_of_pid(&((const struct fan_rename *)r)->pid);
}

static bool has_pid(const void *r, const void *pid)
{
	return ((const struct fan_rename *)r)->pid == *(const int32_t *)pid;
}

/* ---- life ------------------------------------------------------------------------------------ */

void fan_renames_init(struct fan_renames *rs)
{
	static const struct table_type by_place = {hash_at_place, hash_of_place, is_at_place};
	static const struct table_type by_pid = {hash_by_pid, hash_of_pid, has_pid};

	*rs = (struct fan_renames){.end = &rs->first};
	table_init(&rs->by_place, &by_place);
	table_init(&rs->by_pid, &by_pid);
}

void fan_renames_forget(struct fan_renames *rs, size_t at)
{
	struct fan_rename *r;

	while ((r = rs->first) && r->at < at) {
		rs->first = r->next;
		table_remove(&rs->by_place, &r->at);
		if (table_find(&rs->by_pid, &r->pid) == r)
			table_remove(&rs->by_pid, &r->pid);
		free(r);
	}
	if (!rs->first)
		rs->end = &rs->first;
}

void fan_renames_free(struct fan_renames *rs)
{
	fan_renames_forget(rs, SIZE_MAX);
	table_free(&rs->by_place);
	table_free(&rs->by_pid);
}

/* ---- events ---------------------------------------------------------------------------------- */

static uint64_t place_of(const struct fan_handle *dir, const char *name)
{
	return dir->hash * 31 + hash_bytes(name, strlen(name));
}

/* The event behind a rename, of the same process. */
static void go_on(struct fan_rename *r, const struct fan_event *ev)
{
	bool is_nameless = fan_event_is_nameless(ev);
	uint64_t self = fan_event_self(ev);

	if (is_nameless && ev->mask & FAN_MOVE_SELF && self == r->moved) {
		r->ended = true;
	} else if (is_nameless && ev->mask & FAN_ATTRIB && self != r->moved && !r->ended &&
		   !r->lost) {
		r->lost = self;
		r->replaced = ev->mask & FAN_ONDIR ? 'd' : 'n';
	} else {
		r->followed = true;
		/* link(2) and unlink(2) report the number of links first. */
		if (ev->mask & (FAN_CREATE | FAN_DELETE) && self == r->lost && !r->ended)
			r->replaced = 0;
		r->ended = true;
	}
}

static struct fan_rename *add(struct fan_renames *rs, size_t at, const struct fan_event *ev)
{
	struct fan_rename *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->at = at;
	r->pid = ev->pid;
	r->moved = ev->target.hash;
	r->from = place_of(&ev->dir, ev->name);
	r->to = place_of(&ev->to_dir, ev->to_name);
	if (table_add(&rs->by_place, r) < 0) {
		free(r);
		return NULL;
	}
	table_remove(&rs->by_pid, &r->pid);
	table_add(&rs->by_pid, r); /* without memory what belongs to it is not known */
	*rs->end = r;
	rs->end = &r->next;
	return r;
}

void fan_renames_note(struct fan_renames *rs, size_t at, const struct fan_event *ev)
{
	struct fan_rename *before = table_find(&rs->by_pid, &ev->pid), *r;

	if (before && before->followed)
		before = NULL;
	if (before)
		go_on(before, ev);
	r = ev->mask & FAN_RENAME ? add(rs, at, ev) : NULL;
	if (!r || !before || before->replaced || r->moved == before->moved ||
	    r->from != before->to || r->to != before->from)
		return;
	before->second = at;
	r->is_second = true;
}

bool fan_renames_want(const struct fan_renames *rs, int32_t pid, uint64_t mask)
{
	const struct fan_rename *r = mask & FAN_RENAME ? NULL : table_find(&rs->by_pid, &pid);

	return mask & FAN_RENAME || (r && !r->followed);
}

const struct fan_rename *fan_renames_at(const struct fan_renames *rs, size_t at)
{
	return table_find(&rs->by_place, &at);
}
