/* What belongs to a rename, from events as the kernel queues them. */
#include "source/file/observe/fan_renames.h"

#include "tap.h"

#include <stdio.h>

enum { A = 1, B, C, FOLDER = 9 };

static struct fan_renames rs;
static size_t place;

static struct fan_event event(int pid, uint64_t mask, uint64_t target, const char *name)
{
	struct fan_event ev = {.mask = mask, .pid = pid};

	ev.target.hash = target;
	ev.dir.hash = *name ? FOLDER : 0;
	snprintf(ev.name, sizeof ev.name, "%s", name);
	return ev;
}

static void note(const struct fan_event *ev)
{
	fan_renames_note(&rs, ++place, ev);
}

static void happens(int pid, uint64_t mask, uint64_t target, const char *name)
{
	struct fan_event ev = event(pid, mask, target, name);

	note(&ev);
}

static const struct fan_rename *renamed(int pid, uint64_t moved, const char *from, const char *to)
{
	struct fan_event ev = event(pid, FAN_RENAME, moved, from);

	ev.to_dir.hash = FOLDER;
	snprintf(ev.to_name, sizeof ev.to_name, "%s", to);
	note(&ev);
	return fan_renames_at(&rs, place);
}

static void test_replaced(void)
{
	const struct fan_rename *r = renamed(7, A, "a", "b"), *last;

	OK(!r->ended && !r->followed, "a rename has not ended before its last event");
	for (int i = 0; i < 1000; i++)
		happens(8, FAN_CREATE, B, "other");
	OK(!r->ended, "what another process does does not end it");
	happens(7, FAN_ATTRIB, C, "");
	happens(7, FAN_MOVE_SELF, A, "");
	OK(r->ended && r->replaced == 'n', "a lost link says that something was replaced");
	r = renamed(7, A, "b", "d");
	happens(7, FAN_ATTRIB | FAN_ONDIR, B, "");
	happens(7, FAN_MOVE_SELF, A, "");
	OK(r->replaced == 'd', "and that it was a directory");
	last = renamed(7, A, "d", "e");
	happens(7, FAN_MOVE_SELF, A, "");
	happens(7, FAN_ATTRIB, C, "");
	OK(last->followed && !last->replaced, "a link that is lost later is no part of it");
}

static void test_merged(void)
{
	const struct fan_rename *r = renamed(1, A, "a", "b");

	happens(1, FAN_ATTRIB, C, "");
	happens(1, FAN_DELETE, C, "c");
	OK(r->ended && r->followed && !r->replaced, "what unlink(2) reports is no part of it");
}

static void test_exchange(void)
{
	const struct fan_rename *first = renamed(2, A, "a", "b"), *second, *back;

	happens(2, FAN_MOVE_SELF, A, "");
	second = renamed(2, B, "b", "a");
	happens(2, FAN_MOVE_SELF, B, "");
	OK(first->second == second->at && second->is_second, "two back to back are an exchange");
	back = renamed(2, B, "a", "b");
	OK(!back->is_second && !second->second, "what is renamed back is not");
}

static void test_forget(void)
{
	size_t first = renamed(3, A, "a", "b")->at, second = renamed(4, B, "b", "c")->at;

	fan_renames_forget(&rs, second);
	OK(!fan_renames_at(&rs, first) && fan_renames_at(&rs, second), "what is done is forgotten");
	OK(!fan_renames_want(&rs, 3, FAN_CREATE) && fan_renames_want(&rs, 4, FAN_CREATE),
	   "and its process not listened to");
}

int main(void)
{
	fan_renames_init(&rs);
	test_replaced();
	test_merged();
	test_exchange();
	test_forget();
	fan_renames_free(&rs);
	return tap_done();
}
