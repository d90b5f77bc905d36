/*
 * A real tree that is disturbed at random: "tree" is observed, "away" is not; "skip" is not
 * entered.
 */
#ifndef EVWATCH_TESTS_REAL_TREE_H
#define EVWATCH_TESTS_REAL_TREE_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST = 20000, PATH = 600 };

/* ---- disturbing a tree ----------------------------------------------------------------------- */

static unsigned draw(unsigned *state, unsigned below)
{
	return (unsigned)rand_r(state) / 7 % below;
}

static void any_path(unsigned *state, char *path)
{
	static const char *const names[] = {"a", "b", "c", "d", "skip", "f"};
	int depth = 1 + (int)draw(state, 4);
	size_t n = (size_t)snprintf(path, PATH, "%s", draw(state, 8) ? "tree" : "away");

	while (depth--)
		n += (size_t)snprintf(path + n, PATH - n, "/%s", names[draw(state, 6)]);
}

static void remove_all(const char *path)
{
	char below[PATH];
	struct dirent *e;
	DIR *d = unlink(path) < 0 ? opendir(path) : NULL;

	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof below, "%.300s/%.255s", path, e->d_name);
		remove_all(below);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static void write_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return;
	if (write(fd, "x", 1) != 1)
		perror(path);
	close(fd);
}

static void disturb(unsigned *state)
{
	char a[PATH], b[PATH];

	any_path(state, a);
	any_path(state, b);
	switch (draw(state, 9)) {
	case 0:
	case 1:
	case 2:
		mkdir(a, 0755);
		break;
	case 3:
		write_file(a);
		break;
	case 4:
		if (symlink("nowhere", a) < 0 && link(a, b) < 0)
			write_file(b);
		break;
	case 5:
		remove_all(a);
		break;
	case 6:
		renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
		break;
	default:
		rename(a, b);
	}
}

/* ---- what must be equal ---------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct list {
	char *items[MOST];
	size_t count;
};

static void add_line(struct list *l, const char *path)
{
	if (l->count < MOST)
		l->items[l->count++] = strdup(path);
}

static void list_tree(const char *path, struct list *out)
{
	char below[PATH];
	struct dirent *e;
	DIR *d = opendir(path);

	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof below, "%.300s/%.255s", path, e->d_name);
		add_line(out, below);
		if (e->d_type == DT_DIR && strcmp(e->d_name, "skip") != 0)
			list_tree(below, out);
	}
	if (d)
		closedir(d);
}

#endif
