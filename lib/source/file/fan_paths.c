/*
 * --fanotify: from the kernel's handles to the user's paths.
 *
 * A handle is opened and its path read from /proc: a few system calls, so the last directories are
 * remembered, until any directory is renamed. That also finds the path of one that is gone.
 */
#include "base/fd.h"
#include "base/table.h"
#include "source/file/fanotify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- from handles to paths ------------------------------------------------------------------- */

static const struct mount *mount_of(const struct fan *f, const struct info *info)
{
	for (size_t i = 0; i < f->n_mounts; i++)
		if (memcmp(f->mounts[i].fsid, info->fsid, sizeof info->fsid) == 0)
			return &f->mounts[i];
	return NULL;
}

static char *open_place(const struct mount *m, const struct info *info)
{
	char name[64], path[8192];
	int fd = -1;
	ssize_t n;

	fd = open_by_handle_at(m->fd, (struct file_handle *)(uintptr_t)&info->handle_bytes,
			       O_PATH | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof path - 1);
	fd_close(&fd);
	if (n <= 0)
		return NULL;
	path[n] = '\0';
	if (n > 10 && strcmp(path + n - 10, " (deleted)") == 0 && access(path, F_OK) < 0)
		path[n - 10] = '\0';
	return strdup(path);
}

/* The path of the directory in `info`, or NULL: it is gone and was not seen lately. */
static const char *place_of(struct fan *f, const struct info *info)
{
	const struct mount *m = mount_of(f, info);
	uint64_t hash = hash_bytes(info->fsid, sizeof info->fsid + 8 + info->handle_bytes) | 1;
	struct place *p = &f->places[(hash >> 32) % PLACES];

	if (!m || p->hash == hash)
		return m ? p->path : NULL;
	free(p->path);
	p->path = open_place(m, info);
	p->hash = p->path ? hash : 0;
	return p->path;
}

void fan_forget_places(struct fan *f)
{
	for (size_t i = 0; i < PLACES; i++) {
		free(f->places[i].path);
		f->places[i] = (struct place){0};
	}
}

/* ---- from paths to roots --------------------------------------------------------------------- */

/* The path as the user wrote its root, in *out; NULL: in no root. */
static const struct root *root_of(const struct fan *f, const char *folder, const char *name,
				  struct buf *out)
{
	struct buf real = {0};
	const struct root *found = NULL;

	buf_printf(&real, "%s%s%s", folder, folder[1] ? "/" : "", name);
	for (size_t i = 0; i < f->n_roots && !found && !real.failed; i++) {
		const struct fan_root *r = &f->roots[i];
		const char *rest = real.data + r->length;

		if (strncmp(real.data, r->real, r->length) != 0 || (*rest && *rest != '/'))
			continue;
		found = r->root;
		rest += strspn(rest, "/");
		buf_clear(out);
		buf_add_text(out, r->root->path);
		if (*rest && out->length && out->data[out->length - 1] != '/')
			buf_add_char(out, '/');
		buf_add_text(out, rest);
	}
	buf_free(&real);
	return found && !out->failed ? found : NULL;
}

/* The path of one info record if it is in a root and not below an ignored directory. */
const struct root *fan_locate(struct file_source *s, const struct info *info, struct buf *out)
{
	const char *name = info->handle + info->handle_bytes, *folder = place_of(s->fan, info);
	const struct root *r;

	if (!folder)
		return NULL;
	if (strcmp(name, ".") == 0)
		name = "";
	r = root_of(s->fan, folder, name, out);
	return r && filter_passes(s, r, out->data) ? r : NULL;
}

/* ---- roots ----------------------------------------------------------------------------------- */

int fan_open_near(const char *path)
{
	char *copy = strdup(path), *slash;
	int fd = -1;

	while (copy && (fd = open(copy, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0 && *copy &&
	       strcmp(copy, "/") != 0 && strcmp(copy, ".") != 0) {
		slash = strrchr(copy, '/');
		if (!slash)
			strcpy(copy, ".");
		else
			slash[slash == copy] = '\0';
	}
	free(copy);
	return fd;
}
