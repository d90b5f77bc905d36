/* Changes by fanotify(7): its marks, and its life; see fanotify.h. */
#include "source/file/observe/fanotify.h"

#include "base/array.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file_time.h"
#include "base/list.h"
#include "base/units.h"
#include "source/file/model/model.h"
#include "source/file/observe/inotify.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/statfs.h>
#include <unistd.h>

#ifndef FAN_REPORT_FID
#define FAN_REPORT_FID 0x00000200
#endif
#ifndef FAN_REPORT_DFID_NAME
#define FAN_REPORT_DFID_NAME 0x00000c00
#endif
#ifndef FAN_REPORT_TARGET_FID
#define FAN_REPORT_TARGET_FID 0x00001000
#endif
#define A_TURN   (2 * NS_PER_MS)
#define PATIENCE (100 * NS_PER_MS)

static_assert(FAN_MODIFY == IN_MODIFY && FAN_CLOSE_WRITE == IN_CLOSE_WRITE &&
		  FAN_ATTRIB == IN_ATTRIB && FAN_OPEN == IN_OPEN && FAN_ACCESS == IN_ACCESS,
	      "inotify_mask_of serves both");

static struct fanotify_observer *observer_of(struct observer *o)
{
	return CONTAINER_OF(o, struct fanotify_observer, base);
}

/* ---- marks ----------------------------------------------------------------------------------- */

static uint64_t mask_of(const struct fanotify_observer *o)
{
	/* A lost link is FAN_ATTRIB, and says that a rename replaced something. */
	return FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_MOVE_SELF | FAN_ATTRIB | FAN_ONDIR |
	       inotify_mask_of(o->active);
}

/* Marks the file system of what is open, unless it is marked already. */
static int mark(struct fanotify_observer *o, int fd, int32_t fsid[2])
{
	struct statfs st;
	char path[32];

	if (fstatfs(fd, &st) < 0)
		return -1;
	memcpy(fsid, &st.f_fsid, sizeof *o->marks.items);
	for (size_t i = 0; i < o->marks.count; i++)
		if (memcmp(o->marks.items[i], fsid, sizeof *o->marks.items) == 0)
			return 0;
	if (ARRAY_GROW(o->marks.items, o->marks.capacity, o->marks.count + 1) < 0)
		return -1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (fanotify_mark(o->fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, mask_of(o), AT_FDCWD, path) <
	    0)
		return -1;
	memcpy(o->marks.items[o->marks.count++], fsid, sizeof *o->marks.items);
	return 0;
}

static int mark_error(const char *root, struct error *e)
{
	int error = errno;

	error_errno(e, "cannot watch the file system of %s", root);
	if (error == EXDEV)
		return error_hint(
		    e, "it is a subvolume (btrfs), of which the kernel cannot report by file "
		       "system: watch the whole file system with --fanotify, or leave that out");
	return error_hint(e, "--fanotify needs Linux 5.17 and a file system whose files have "
			     "handles; without it, it may work");
}

/* Opens `path`, or the nearest directory above it that is there. -1 with errno. */
static int open_near(const char *path)
{
	char *copy = strdup(path);
	int fd = -1;

	while (copy && (fd = open(copy, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0 &&
	       fan_path_up(copy))
		;
	free(copy);
	return fd;
}

static int mark_roots(struct fanotify_observer *o, struct error *e)
{
	for (size_t i = 0; i < o->n_roots; i++) {
		int fd = open_near(o->roots[i]), marked;
		int32_t fsid[2];

		marked = fd < 0 ? -1 : mark(o, fd, fsid);
		fd_close(&fd);
		if (marked < 0)
			return mark_error(o->roots[i], e);
	}
	return 0;
}

static int add_place(struct fanotify_observer *o, struct node *root, const char *path, int mount,
		     const int32_t fsid[2])
{
	fan_places_moved(&o->places);
	return fan_roots_add(&o->places.roots, root, path, mount, fsid);
}

int fanotify_mount(struct fanotify_observer *o, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC), mount = -1;
	struct fan_handle h;
	int32_t fsid[2];

	if (fd >= 0 && mark(o, fd, fsid) == 0)
		mount = fan_handle_at(fd, "", fsid, &h);
	fd_close(&fd);
	if (mount < 0)
		return -1;
	return fan_roots_fsid(&o->places.roots, mount) ? 0 : add_place(o, NULL, path, mount, fsid);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void observer_read(struct observer *base)
{
	struct fanotify_observer *o = observer_of(base);
	bool more = model_idle(base->model) && fanotify_pass(o, clock_read(CLOCK_OF_LOOP) + A_TURN);
	bool works = more || o->progress.reports || !model_idle(base->model) ||
		     (!o->waits && (o->progress.stage != FAN_FRESH || !fan_ahead_empty(&o->queue)));

	fan_places_close(&o->places);
	o->progress.reports = false;
	if (works)
		base->model->host->wake(base->model);
	else
		io_start(o->reactor, &o->io);
	if (!o->waits)
		timer_stop(o->reactor, &o->patience);
	else if (!timer_active(&o->patience))
		timer_start_in(o->reactor, &o->patience, PATIENCE);
}

/* What is read must wait until the model has settled what was read before. */
static void go_on(struct fanotify_observer *o)
{
	io_stop(o->reactor, &o->io);
	if (model_idle(o->base.model))
		observer_read(&o->base);
	else
		o->base.model->host->wake(o->base.model);
}

static void on_readable(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	(void)r;
	(void)ready;
	go_on(CONTAINER_OF(w, struct fanotify_observer, io));
}

static void on_impatient(struct reactor *r, struct timer *t)
{
	struct fanotify_observer *o = CONTAINER_OF(t, struct fanotify_observer, patience);

	(void)r;
	o->gives_up = o->waits;
	go_on(o);
}

/* ---- watches --------------------------------------------------------------------------------- */

/* The handle of what is open, and its mount's id; -1 with errno. */
static int handle_of(struct fanotify_observer *o, int folder, struct fan_handle *h,
		     bool *is_new_mount)
{
	int32_t none[2] = {0, 0};
	int mount = fan_handle_at(folder, "", none, h);
	const int32_t *fsid = mount < 0 ? NULL : fan_roots_fsid(&o->places.roots, mount);
	int32_t marked[2];

	*is_new_mount = !fsid;
	if (mount < 0 || (!fsid && mark(o, folder, marked) < 0))
		return -1;
	return fan_handle_at(folder, "", fsid ? fsid : marked, h);
}

static int observer_watch(struct observer *base, struct node *n, int folder, const char *path)
{
	struct fanotify_observer *o = observer_of(base);
	bool is_root = n->parent == base->model->top, is_new_mount;
	struct fan_handle h;
	struct node *other;
	int mount;

	if (folder >= FOLDER_REMOTE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	mount = handle_of(o, folder, &h, &is_new_mount);
	if (mount < 0)
		return -1;
	other = fan_node(&o->places, h.hash);
	if (!other)
		other = fan_find_former(&o->places, &h);
	if (other && other != n) {
		/* Where it left an event will say so. */
		model_look_for(base->model, other, model_doubt(base->model, other->parent));
		errno = EEXIST;
		return -1;
	}
	if (fan_node_is(&o->places, n, &h) < 0)
		return -1;
	if (!is_root && !is_new_mount)
		return 0;
	return add_place(o, is_root ? n : NULL, path, mount, h.fsid);
}

static void observer_unwatch(struct observer *base, struct node *n)
{
	struct fanotify_observer *o = observer_of(base);

	fan_node_forget(&o->places, n);
	fan_roots_drop(&o->places.roots, n);
}

static int observer_reopen(struct observer *base, struct node *n)
{
	struct fanotify_observer *o = observer_of(base);
	int fd = n->watched
		     ? fan_open_handle(&o->places, fan_node_handle(n), O_RDONLY | O_DIRECTORY)
		     : -1;

	fan_places_close(&o->places);
	return fd;
}

static void observer_found(struct observer *base, struct node *n, int folder, const char *name)
{
	struct fanotify_observer *o = observer_of(base);
	struct fan_handle h;
	bool is_new_mount;

	if (handle_of(o, folder, &h, &is_new_mount) >= 0 && !is_new_mount &&
	    fan_handle_at(folder, name, h.fsid, &h) >= 0 && !fan_node(&o->places, h.hash))
		fan_node_is(&o->places, n, &h);
}

static void observer_catch_up(struct observer *base, struct node *n)
{
	struct fanotify_observer *o = observer_of(base);

	if (n->watched)
		fanotify_catch_up(o, n);
	fan_places_close(&o->places);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void observer_close(struct observer *base)
{
	struct fanotify_observer *o = observer_of(base);

	fanotify_forget(o);
	free(o->late.items);
	free(o->ghosts.items);
	free(o->marks.items);
	o->late.items = NULL;
	o->ghosts.items = NULL;
	o->marks.items = NULL;
	fan_places_free(&o->places);
	fan_ahead_free(&o->queue);
	if (o->fd >= 0) {
		io_stop(o->reactor, &o->io);
		timer_stop(o->reactor, &o->patience);
	}
	fd_close(&o->fd);
}

static int observer_open(struct observer *base, struct error *e)
{
	struct fanotify_observer *o = observer_of(base);

	o->fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_REPORT_DFID_NAME |
				  FAN_REPORT_TARGET_FID | FAN_UNLIMITED_QUEUE | FAN_NONBLOCK |
				  FAN_CLOEXEC,
			      O_RDONLY);
	fan_ahead_init(&o->queue, o->fd);
	o->places = (struct fan_places){.model = base->model, .queue = &o->queue, .rule = o->rule};
	fan_places_init(&o->places);
	if (o->fd < 0) {
		error_errno(e, "--fanotify");
		return error_hint(
		    e, "it needs root (CAP_SYS_ADMIN) and Linux 5.17; without it, each directory "
		       "gets a watch of its own, and that needs neither");
	}
	o->synced = o->progress.emptied = file_time_now();
	io_init(&o->io, o->fd, IO_READ, on_readable);
	timer_init(&o->patience, CLOCK_OF_LOOP, on_impatient);
	o->io.priority = o->patience.priority = o->priority;
	if (mark_roots(o, e) == 0 && io_start(o->reactor, &o->io) == 0)
		return 0;
	observer_close(base);
	return -1;
}

const struct observer_type observer_fanotify = {
    .name = "fanotify",
    .open = observer_open,
    .watch = observer_watch,
    .unwatch = observer_unwatch,
    .reopen = observer_reopen,
    .found = observer_found,
    .catch_up = observer_catch_up,
    .read = observer_read,
    .close = observer_close,
};
