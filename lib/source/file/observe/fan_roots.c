/* Roots and mounts, by which handles are opened; see fan_roots.h. */
#include "source/file/observe/fan_roots.h"

#include "base/array.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- places ---------------------------------------------------------------------------------- */

int fan_roots_add(struct fan_roots *r, struct node *root, const char *path, int mount,
		  const int32_t fsid[2])
{
	struct fan_place *place;
	char *copy = strdup(path);

	if (!copy || ARRAY_GROW(r->items, r->capacity, r->count + 1) < 0) {
		free(copy);
		return -1;
	}
	if (root)
		fan_roots_drop(r, root);
	place = &r->items[r->count++];
	*place = (struct fan_place){.root = root, .path = copy, .mount = mount, .fd = -1};
	memcpy(place->fsid, fsid, sizeof place->fsid);
	return 0;
}

static void place_close(struct fan_place *place)
{
	fd_close(&place->fd);
	free(place->real);
	place->real = NULL;
	place->failed = false;
}

void fan_roots_drop(struct fan_roots *r, const struct node *root)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->items[i].root == root) {
			place_close(&r->items[i]);
			free(r->items[i].path);
			r->items[i] = r->items[--r->count];
			return;
		}
}

const int32_t *fan_roots_fsid(const struct fan_roots *r, int mount)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->items[i].mount == mount)
			return r->items[i].fsid;
	return NULL;
}

/* The present path of what is open. Owned; NULL with errno. */
char *fan_path_of(int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n < 0)
		return NULL;
	path[n] = '\0';
	return strdup(path);
}

static bool is_of_mount(const struct fan_place *place)
{
	struct fan_handle h;

	return place->fd >= 0 && fan_handle_at(place->fd, "", place->fsid, &h) == place->mount;
}

static int open_to_read(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
}

bool fan_path_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (!*path || strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
		return false;
	if (slash)
		slash[slash == path] = '\0';
	else
		strcpy(path, ".");
	return true;
}

/* A root that was moved away has its mount still: by what is above the path, its handles open. */
static void open_above(struct fan_place *place)
{
	char *path = strdup(place->path);

	while (path && place->fd < 0 && fan_path_up(path))
		place->fd = open_to_read(path);
	free(path);
	if (!is_of_mount(place))
		fd_close(&place->fd);
}

/* Something else may be mounted or linked there meanwhile: that is another place. */
static void place_open(struct fan_place *place)
{
	place->fd = open_to_read(place->path);
	place->real = place->fd < 0 ? NULL : fan_path_of(place->fd);
	if (place->real && is_of_mount(place))
		return;
	place_close(place);
	open_above(place);
	place->failed = place->fd < 0;
}

static void places_open(struct fan_roots *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->items[i].fd < 0 && !r->items[i].failed)
			place_open(&r->items[i]);
}

void fan_roots_close(struct fan_roots *r)
{
	for (size_t i = 0; i < r->count; i++)
		place_close(&r->items[i]);
}

static bool is_first_of_mount(const struct fan_roots *r, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (r->items[k].mount == r->items[i].mount && r->items[k].fd >= 0)
			return false;
	return r->items[i].fd >= 0;
}

/* By the mounts from *at on. */
int fan_roots_open(struct fan_roots *r, size_t *at, const struct fan_handle *h, int flags)
{
	places_open(r);
	errno = ENOENT;
	for (; *at < r->count; ++*at) {
		const struct fan_place *place = &r->items[*at];
		int fd;

		if (memcmp(place->fsid, h->fsid, sizeof h->fsid) != 0 || !is_first_of_mount(r, *at))
			continue;
		fd = open_by_handle_at(place->fd, fan_file_handle(h), flags | O_CLOEXEC);
		if (fd >= 0 || errno == ESTALE)
			return fd;
	}
	return -1;
}

const struct fan_place *fan_root_of(const struct fan_roots *r, const char *path)
{
	for (size_t i = 0; i < r->count; i++) {
		const char *real = r->items[i].real;
		size_t n = real ? strlen(real) : 0;

		if (!r->items[i].root || !n || strncmp(path, real, n) != 0)
			continue;
		if (path[n] == '/' || (!path[n] && n > 1) || n == 1)
			return &r->items[i];
	}
	return NULL;
}

void fan_roots_free(struct fan_roots *r)
{
	fan_roots_close(r);
	while (r->count)
		free(r->items[--r->count].path);
	free(r->items);
	*r = (struct fan_roots){0};
}
