/* Events of fanotify(7) by directory, from a pipe in place of the kernel. */
#include "source/file/observe/fan_ahead.h"

#include "tap.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

/* As the kernel lays an event with one record out: type 2 is a directory's handle and a name. */
struct record {
	struct fanotify_event_metadata head;
	uint8_t type, pad;
	uint16_t length;
	int32_t fsid[2];
	uint32_t handle_bytes;
	int32_t handle_type;
	uint32_t handle[2];
	char name[8];
};

static int in[2];
static struct fan_ahead queue;
static char seen[256];

static void happens(uint64_t mask, unsigned dir, const char *name)
{
	struct record r = {.head = {.event_len = sizeof r, .metadata_len = sizeof r.head},
			   .type = 2,
			   .length = sizeof r - sizeof r.head,
			   .handle_bytes = sizeof r.handle,
			   .handle = {dir}};

	r.head.mask = mask;
	snprintf(r.name, sizeof r.name, "%s", name);
	assert(write(in[1], &r, sizeof r) == (ssize_t)sizeof r);
}

static uint64_t hash_of(unsigned dir)
{
	static struct fan_ahead other;
	int end[2], saved = in[1];
	struct fan_event ev;
	size_t at = 0;

	assert(pipe(end) == 0);
	in[1] = end[1];
	happens(FAN_CREATE, dir, "x");
	in[1] = saved;
	fan_ahead_init(&other, end[0]);
	fan_ahead_fill(&other);
	assert(fan_ahead_event(&other, &at, &ev));
	fan_ahead_free(&other);
	close(end[0]);
	close(end[1]);
	return ev.dir.hash;
}

static void note(void *data, size_t at)
{
	struct fan_event ev;

	(void)data;
	assert(fan_ahead_event(&queue, &at, &ev));
	strcat(strcat(seen, ev.name), " ");
}

static bool are_in(unsigned dir, const char *names)
{
	*seen = '\0';
	fan_ahead_each(&queue, hash_of(dir), note, NULL);
	if (strcmp(seen, names) != 0)
		printf("# in %u: %s\n", dir, seen);
	return strcmp(seen, names) == 0;
}

/* Events of no name that is made, renamed or removed are between. */
static void fill_some(void)
{
	for (unsigned i = 0; i < 9; i++) {
		char name[8];

		snprintf(name, sizeof name, "%u", i);
		happens(i % 2 ? FAN_CREATE : FAN_DELETE, 1 + i % 3, name);
		happens(FAN_MODIFY, 1 + i % 3, "m");
	}
	fan_ahead_fill(&queue);
}

int main(void)
{
	assert(pipe(in) == 0);
	fan_ahead_init(&queue, in[0]);
	OK(are_in(1, ""), "nothing happened in a directory of which nothing was read");
	fill_some();
	OK(are_in(1, "0 3 6 ") && are_in(2, "1 4 7 ") && are_in(3, "2 5 8 ") && are_in(4, ""),
	   "what happened in a directory is found in its order");
	happens(FAN_CREATE, 2, "late");
	fan_ahead_fill(&queue);
	OK(are_in(2, "1 4 7 late ") && are_in(1, "0 3 6 "), "and what is read later");
	fill_some();
	OK(are_in(2, "1 4 7 late 1 4 7 "), "also if that is much");
	queue.at = sizeof(struct record) * 3;
	OK(are_in(1, "3 6 0 3 6 ") && are_in(2, "4 7 late 1 4 7 "),
	   "what was dealt with is left out");
	queue.at = queue.bytes.length;
	fan_ahead_forget(&queue);
	fill_some();
	OK(are_in(3, "2 5 8 "), "and what was forgotten");
	fan_ahead_free(&queue);
	return tap_done();
}
