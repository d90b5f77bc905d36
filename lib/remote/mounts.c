/* What is mounted where; see mounts.h. */
#include "remote/mounts.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scan.h"
#include "base/table.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_LINKS = 40 };

/* Types of file systems as mountinfo names them; "fuse." has the name of a server behind it. */
static const char *const remote_types[] = {
    "nfs",  "nfs4",   "cifs",   "smb3", "smbfs", "9p",     "fuse",  "virtiofs", "vboxsf",
    "ceph", "vmhgfs", "prl_fs", "afs",  "coda",  "lustre", "ocfs2", "gfs2",     "ncpfs",
};

static const char *remote_type(const char *type)
{
	size_t length = strcspn(type, ". ");

	for (size_t i = 0; i < ARRAY_LENGTH(remote_types); i++)
		if (strlen(remote_types[i]) == length && memcmp(remote_types[i], type, length) == 0)
			return remote_types[i];
	return NULL;
}

/* ---- the list -------------------------------------------------------------------------------- */

static void free_list(struct mounts *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->items[i].path);
	free(m->items);
	m->items = NULL;
	m->count = m->capacity = m->n_remote = 0;
}

/* \040 and the like, in place. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from; to++)
		if (from[0] == '\\' && isdigit((unsigned char)from[1])) {
			char octal[4] = {from[1], from[2], from[3], '\0'};

			*to = (char)strtol(octal, NULL, 8);
			from += strlen(octal) + 1;
		} else {
			*to = *from++;
		}
	*to = '\0';
}

/* A line: id, parent's id, device, root, mount point, options, more, "-", type. */
static int add_line(struct mounts *m, char *line)
{
	const char *type = strstr(line, " - "), *number;
	uint64_t major, minor;
	char *words[5] = {0};
	struct mount_point *p;

	for (int i = 0; i < 5; i++)
		words[i] = strsep(&line, " ");
	if (!words[4] || !type)
		return 0;
	unescape(words[4]);
	if (ARRAY_GROW(m->items, m->capacity, m->count + 1) < 0)
		return -1;
	p = &m->items[m->count];
	*p = (struct mount_point){.id = (int)strtol(words[0], NULL, 10),
				  .root = hash_bytes(words[3], strlen(words[3])),
				  .path = strdup(words[4])};
	if (!p->path)
		return -1;
	number = words[2];
	if (scan_number(&number, 10, &major) && scan_char(&number, ':') &&
	    scan_number(&number, 10, &minor)) {
		p->major = (unsigned)major;
		p->minor = (unsigned)minor;
	}
	p->remote = remote_type(type + strlen(" - "));
	p->whole = strcmp(words[3], "/") == 0;
	m->n_remote += p->remote != NULL;
	m->count++;
	return 0;
}

static int by_path(const void *a, const void *b)
{
	const struct mount_point *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	/* The kernel gives an id away again at once. */
	if (order == 0)
		order = (x->id > y->id) - (x->id < y->id);
	return order ? order : (x->root > y->root) - (x->root < y->root);
}

/* Reads the list into `fresh`. Returns 0, or -1 with errno. */
static int read_list(int fd, struct mounts *fresh)
{
	struct buf b = {0};
	int result = lseek(fd, 0, SEEK_SET) < 0 ? -1 : fd_read_all(fd, &b, SIZE_MAX);
	char *rest = b.data, *line;

	while (result == 0 && (line = strsep(&rest, "\n")))
		result = add_line(fresh, line);
	buf_free(&b);
	if (result < 0)
		free_list(fresh);
	else if (fresh->count)
		qsort(fresh->items, fresh->count, sizeof *fresh->items, by_path);
	return result;
}

static void leave(struct mounts *m)
{
	timer_stop(m->reactor, &m->again);
	io_stop_close(m->reactor, &m->io);
	free_list(m);
}

static void call_each(struct mounts *m, const char *point, bool unmounted)
{
	for (struct link *at = m->listeners.next; at != &m->listeners; at = m->next) {
		struct mounts_listener *l = CONTAINER_OF(at, struct mounts_listener, link);

		m->next = at->next;
		l->changed(l, point, unmounted);
	}
	m->next = NULL;
}

/* Calls for the mounts in `of` that are not in `other`. */
static void compare(struct mounts *m, const struct mounts *of, const struct mounts *other,
		    bool unmounted)
{
	for (size_t i = 0, k = 0; i < of->count; i++) {
		while (k < other->count && by_path(&other->items[k], &of->items[i]) < 0)
			k++;
		if (k == other->count || by_path(&other->items[k], &of->items[i]) != 0)
			call_each(m, of->items[i].path, unmounted);
	}
}

static void set_list(struct mounts *m, const struct mounts *list)
{
	m->items = list->items;
	m->count = list->count;
	m->capacity = list->capacity;
	m->n_remote = list->n_remote;
}

static void refresh(struct mounts *m)
{
	struct mounts before = *m, fresh = {0};

	if (read_list(m->io.fd, &fresh) < 0) {
		log_error(NULL, "cannot read /proc/self/mountinfo: %s", strerror(errno));
		return;
	}
	set_list(m, &fresh);
	m->calling = true;
	compare(m, &before, &fresh, true);
	compare(m, &fresh, &before, false);
	m->calling = false;
	free_list(&before);
	if (list_empty(&m->listeners))
		leave(m);
}

static void on_change(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	(void)r;
	(void)ready;
	refresh(CONTAINER_OF(w, struct mounts, io));
}

static void on_again(struct reactor *r, struct timer *t)
{
	(void)r;
	refresh(CONTAINER_OF(t, struct mounts, again));
}

/* ---- paths ----------------------------------------------------------------------------------- */

const char *mounts_within(const char *directory, const char *path)
{
	size_t n = strcmp(directory, "/") == 0 ? 0 : strlen(directory);

	if (strncmp(path, directory, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path + n + strspn(path + n, "/");
}

/* The list is in order of paths: what is above another comes before it. */
const struct mount_point *mounts_remote(const struct mounts *m, const char *real)
{
	for (size_t i = 0; m && m->n_remote && i < m->count; i++)
		if (m->items[i].remote && mounts_within(m->items[i].path, real))
			return &m->items[i];
	return NULL;
}

bool mounts_near(const struct mounts *m, const char *real)
{
	for (size_t i = 0; m && m->n_remote && i < m->count; i++)
		if (m->items[i].remote && (mounts_within(m->items[i].path, real) ||
					   mounts_within(real, m->items[i].path)))
			return true;
	return false;
}

/* Replaces `length` bytes of a path. -1: it would be too long. */
static int replace(char *path, size_t at, size_t length, const char *by, size_t n)
{
	size_t rest = strlen(path + at + length) + 1;

	if (at + n + rest > MOUNTS_PATH)
		return -1;
	memmove(path + at + n, path + at + length, rest);
	memcpy(path + at, by, n);
	return 0;
}

/* Resolves the component at `at`, before which all is resolved. Returns up to where it is then; 0:
 * the path is too long, or goes round in a circle. */
static size_t walk_step(char *path, size_t at, int *links)
{
	char target[MOUNTS_PATH];
	size_t length = strcspn(path + at, "/"), end = at + length, from = at;
	char behind = path[end];
	ssize_t n;

	if (length == 0 || (length <= 2 && strncmp(path + at, "..", length) == 0)) {
		while (length == 2 && from > 1 && path[--from - 1] != '/')
			;
		replace(path, from, end - from + (behind == '/'), "", 0);
		return from;
	}
	path[end] = '\0';
	n = readlink(path, target, sizeof target);
	path[end] = behind;
	if (n <= 0)
		return end + (behind == '/');
	from = target[0] == '/' ? 0 : at;
	if (++*links > MOST_LINKS || replace(path, from, end - from, target, (size_t)n) < 0)
		return 0;
	return from ? from : 1;
}

/* The remote mount at this very place. */
static const struct mount_point *remote_at(const struct mounts *m, const char *real, size_t length)
{
	for (size_t i = 0; m && m->n_remote && i < m->count; i++)
		if (m->items[i].remote && strlen(m->items[i].path) == length &&
		    memcmp(m->items[i].path, real, length) == 0)
			return &m->items[i];
	return NULL;
}

/* What is behind the mount point follows after one slash. */
static void join_rest(char *path, size_t end)
{
	size_t slashes = strspn(path + end, "/");

	replace(path, end, slashes, "/", path[end + slashes] != '\0');
}

const struct mount_point *mounts_resolve(const struct mounts *m, const char *path, char *real)
{
	const struct mount_point *p;
	size_t at = 1, end = 1;
	int links = 0;

	if (path[0] == '/' || !getcwd(real, MOUNTS_PATH))
		real[0] = '\0';
	if (strlen(real) + strlen(path) + 2 > MOUNTS_PATH) {
		real[0] = '\0';
		return NULL;
	}
	strcat(strcat(real, "/"), path);
	replace(real, 0, strspn(real, "/"), "/", 1);
	p = remote_at(m, real, 1);
	while (!p && at && real[at]) {
		size_t next = walk_step(real, at, &links);

		end = next > at && real[next - 1] == '/' ? next - 1 : next;
		p = next > at ? remote_at(m, real, end) : NULL;
		at = next;
	}
	if (!at)
		real[0] = '\0';
	else if (p && end > 1)
		join_rest(real, end);
	else if (!p && at > 1 && real[at - 1] == '/')
		real[at - 1] = '\0';
	return p;
}

void mounts_go(char *real, const char *name)
{
	size_t length = strlen(real), room = MOUNTS_PATH - length;
	char *last = strrchr(real, '/');

	if (strcmp(name, "..") != 0) {
		if (snprintf(real + length, room, "/%s", name) >= (int)room)
			strcpy(real, "?");
	} else if (last) {
		*last = '\0';
	}
}

/* ---- life ------------------------------------------------------------------------------------ */

struct mounts *mounts_new(struct reactor *r)
{
	struct mounts *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->reactor = r;
	list_init(&m->listeners);
	io_init(&m->io, -1, IO_URGENT, on_change);
	timer_init(&m->again, CLOCK_OF_LOOP, on_again);
	return m;
}

void mounts_free(struct mounts *m)
{
	free(m);
}

/* When epoll_ctl(2) adds that file, it takes note of what was mounted since it was opened, and
 * wakes nobody for that: so it is read again. */
static int join(struct mounts *m)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	io_init(&m->io, fd, IO_URGENT, on_change);
	if (read_list(fd, m) == 0 && io_start(m->reactor, &m->io) == 0) {
		timer_start_soon(m->reactor, &m->again);
		return 0;
	}
	leave(m);
	return -1;
}

int mounts_listen(struct mounts *m, struct mounts_listener *l)
{
	if (m->io.fd < 0 && join(m) < 0)
		return -1;
	if (!list_empty(&m->listeners) && !m->calling)
		refresh(m);
	list_append(&m->listeners, &l->link);
	return 0;
}

void mounts_unlisten(struct mounts *m, struct mounts_listener *l)
{
	if (!l->link.next)
		return;
	if (m->next == &l->link)
		m->next = l->link.next;
	list_remove(&l->link);
	l->link = (struct link){0};
	if (list_empty(&m->listeners) && !m->calling)
		leave(m);
}

static bool has_point(const struct mounts *m, const char *real)
{
	for (size_t i = 0; i < m->count; i++)
		if (strcmp(m->items[i].path, real) == 0)
			return true;
	return false;
}

void mounts_met(struct mounts *m, const char *path)
{
	char real[MOUNTS_PATH];

	if (m->io.fd >= 0 && !mounts_resolve(m, path, real) && real[0] && !has_point(m, real))
		timer_start_soon(m->reactor, &m->again);
}
