/*
 * --fanotify: events to happenings, but for renames (fan_renames.c).
 *
 * The kernel merges what it has not delivered yet, but only what happened to one inode by one name:
 * so the order of what is merged is known. What an inode is can be asked for as long as it is.
 */
#include "base/fd.h"
#include "source/file/fanotify.h"

#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

/* ---- what it is ------------------------------------------------------------------------------ */

/* Is it still there, anywhere? */
static bool target_stat(const struct fan *f, const struct fan_handle *target, struct stat *st)
{
	int fd = fan_handle_open(f, target, O_PATH);
	bool is = fd >= 0 && fstat(fd, st) == 0;

	fd_close(&fd);
	return is;
}

/* 'n': gone, and no directory. Who does not ask for types is spared the look. */
char fan_type_of(const struct file_source *s, const struct fan_event *ev)
{
	struct stat st;

	if (ev->mask & FAN_ONDIR)
		return 'd';
	if (!((const struct file_config *)s->base.config)->any_type)
		return 'f';
	if (!target_stat(s->fan, &ev->target, &st))
		return 'n';
	return S_ISLNK(st.st_mode) ? 'l' : 'f';
}

void fan_report(struct file_source *s, const struct root *r, unsigned event, const char *path,
		char type)
{
	changes_add(s, &(struct happening){.event = event, .path = path, .root = r, .type = type});
}

/* ---- entries --------------------------------------------------------------------------------- */

static void created(struct file_source *s, const struct root *r, const char *path,
		    const struct fan_event *ev, char type)
{
	struct happening h = {.event = FILE_CREATE, .path = path, .root = r, .type = type};
	struct stat st;

	if (s->base.has_command && type != 'd' && target_stat(s->fan, &ev->target, &st))
		h.open = S_ISREG(st.st_mode) && st.st_nlink == 1;
	changes_add(s, &h);
}

/* Was the same inode given the same name again? */
static bool is_again(const char *path, const struct fan_event *ev)
{
	struct fan_handle there;

	if (!(ev->mask & FAN_CREATE) || ev->mask & FAN_ONDIR)
		return false;
	return fan_handle_of(AT_FDCWD, path, ev->dir.fsid, &there) >= 0 &&
	       there.hash == ev->target.hash;
}

/* Is it written by somebody who has it open, though it was deleted? */
static bool is_of_the_past(const struct file_source *s, const char *path,
			   const struct fan_event *ev)
{
	const struct fan_queue *q = &s->fan->queue;
	struct fan_event next;
	struct stat st;
	size_t at = q->at;

	if (ev->mask & (FAN_CREATE | FAN_DELETE | FAN_ONDIR) || lstat(path, &st) == 0 ||
	    (target_stat(s->fan, &ev->target, &st) && st.st_nlink))
		return false;
	for (int i = 0; i < FAN_AHEAD && fan_queue_peek(q, &at, &next); i++)
		if (next.mask & FAN_DELETE && next.target.hash == ev->target.hash)
			return false;
	return true;
}

static void entry_happened(struct file_source *s, const struct fan_event *ev)
{
	static const struct {
		uint64_t mask;
		unsigned event;
	} plain[] = {{FAN_OPEN, FILE_OPEN},
		     {FAN_ACCESS, FILE_ACCESS},
		     {FAN_MODIFY, FILE_MODIFY},
		     {FAN_CLOSE_WRITE, FILE_CLOSE_WRITE},
		     {FAN_ATTRIB, FILE_ATTRIB}};
	const struct file_config *c = s->base.config;
	const struct root *r = fan_locate(s, &ev->dir, ev->name, &s->fan->path);
	const char *path = s->fan->path.data;
	char type = fan_type_of(s, ev);
	bool again;

	if (ev->mask & FAN_CREATE && ev->mask & FAN_ONDIR)
		fan_dir_is(s, &ev->target, &ev->dir, ev->name);
	if (ev->mask & FAN_DELETE)
		fan_place_left(s->fan, &ev->dir, ev->name);
	if (!r || is_of_the_past(s, path, ev))
		return;
	again = ev->mask & FAN_DELETE && is_again(path, ev);
	if (again)
		fan_report(s, r, FILE_DELETE, path, type);
	if (ev->mask & FAN_CREATE)
		created(s, r, path, ev, type);
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (ev->mask & plain[i].mask &&
		    (plain[i].event != FILE_ATTRIB || c->events & FILE_ATTRIB))
			fan_report(s, r, plain[i].event, path, type);
	if (ev->mask & FAN_DELETE && !again)
		fan_report(s, r, FILE_DELETE, path, type);
}

bool fan_happened(struct file_source *s, const struct fan_event *ev)
{
	if (ev->to_dir.hash)
		return fan_renamed(s, ev);
	/* Of an inode alone the kernel tells no name. */
	if (ev->dir.hash && !(ev->mask & FAN_MOVE_SELF))
		entry_happened(s, ev);
	return true;
}
