/*
 * Reading directories: for the first time, and again (rescan.c says when).
 *
 * A directory is watched before it is read: what comes after is told by the kernel, what came
 * before is found, and what is both is known by its name already. The walk keeps no descriptor open
 * but the one it reads, and goes by a list, not by recursion: trees are deeper than stacks.
 *
 * The hard part is to know what was lost. Names that are known and not found are deleted, those
 * found and not known created; what is both was changed if its ctime is not before the last moment
 * when the kernel's queue was empty, or, in polled directories, if what stat(2) says differs.
 */
#include "base/array.h"
#include "base/log.h"
#include "source/file/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What getdents64(2) fills in; musl and glibc differ in what they call it. */
struct folder_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

struct walk {
	struct file_source *s;
	const struct scan_how *how;
	struct dir **items; /* to be read; owned */
	size_t count, capacity;
	bool first;            /* the directory at hand is read for the first time */
	bool polled;           /* it had no watch until now */
	struct table children; /* of the directory at hand, by name; read again, it may have many */
};

/* ---- entries --------------------------------------------------------------------------------- */

uint32_t stat_stamp(const struct stat *st)
{
	uint64_t what[] = {(uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
			   (uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec,
			   (uint64_t)st->st_size,        st->st_ino};

	return (uint32_t)hash_bytes(what, sizeof what);
}

bool stat_changed_since(const struct stat *st, const struct timespec *since)
{
	return st->st_ctim.tv_sec > since->tv_sec ||
	       (st->st_ctim.tv_sec == since->tv_sec && st->st_ctim.tv_nsec >= since->tv_nsec);
}

/* A known entry of the same kind: was it written? */
static void look_at_known(struct walk *w, struct dir *d, int folder, struct entry *e, char type)
{
	struct file_source *s = w->s;
	struct stat st;
	bool changed;

	e->seen = true;
	if (type == 'd' || !(w->polled || w->how->lost || d->anew))
		return;
	if (fstatat(folder, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (w->polled) {
		changed = e->stamp != stat_stamp(&st);
		e->stamp = stat_stamp(&st);
	} else {
		changed = d->anew || (w->how->lost && stat_changed_since(&st, &s->synced));
	}
	if (changed) {
		changes_report(s, d, e->name, FILE_MODIFY, type);
		changes_report(s, d, e->name, FILE_CLOSE_WRITE, type);
	}
}

static void stamp_new(const struct walk *w, const struct dir *d, int folder, const char *name)
{
	struct entry *e = names_find(d->names, name);
	struct stat st;

	if (e)
		e->seen = !w->first; /* a sweep follows, and takes the mark off */
	if (e && d->wd < 0 && fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		e->stamp = stat_stamp(&st);
}

/* A known directory that is not watched: perhaps it can be now (it moved, it is ignored no more).
 */
static void enter_known(struct walk *w, struct dir *d, const char *name)
{
	struct file_source *s = w->s;
	struct dir *child, *other;

	if (table_find(&w->children, name))
		return;
	child = scan_enter(s, d, name, 'd');
	if (child) {
		if (child->wd >= 0)
			names_remove(&d->names, name);
		doubt_add(s, child);
		return;
	}
	other = errno == EEXIST ? scan_watched_at(s, d, name) : NULL;
	if (other && !doubt_is_here(s, other))
		rescan_soon(s); /* it moved, and nobody told */
}

/* What stood there is gone, and what stands there now has come. */
static void other_kind(struct walk *w, struct dir *d, const char *name, char old_type)
{
	struct dir *child = table_find(&w->children, name);

	if (child) {
		table_remove(&w->children, name);
		scan_gone(w->s, child);
	} else if (old_type != '?') {
		changes_report(w->s, d, name, FILE_DELETE, old_type);
	}
	names_remove(&d->names, name);
}

/* A link is told from a file where that counts, and is seen only there when it is made. */
static bool is_same_kind(const struct file_config *c, char one, char other)
{
	return one == other || (one != 'd' && other != 'd' && !c->any_type && !c->follow);
}

static void take_entry(struct walk *w, struct dir *d, int folder, const char *name, char type)
{
	struct file_source *s = w->s;
	const struct file_config *c = s->base.config;
	struct entry *e = w->first ? NULL : names_find(d->names, name);
	struct dir *child = table_find(&w->children, name);
	/* One whose type could not be seen is told of only now, if types count. */
	bool told = e && e->type == '?' && type != 'd' && !c->any_type;

	if (child)
		child->seen = true;
	if (e && !is_same_kind(c, e->type, type)) {
		other_kind(w, d, name, e->type);
		e = NULL;
	}
	if (e) {
		e->type = type;
		look_at_known(w, d, folder, e, type);
		if (type == 'd' && w->how->again)
			enter_known(w, d, name);
		return;
	}
	child = table_find(&w->children, name);
	if (child && type == 'd')
		return; /* its own turn comes */
	if (child) {
		table_remove(&w->children, name);
		scan_gone(s, child);
	}
	if (scan_take(s, d, name, type, &child) <= 0)
		return;
	stamp_new(w, d, folder, name);
	if (!w->how->report || told)
		return;
	changes_report(s, d, name, FILE_CREATE, type);
	/* It was written before anybody watched: that counts as written. */
	if (type != 'd')
		changes_report(s, d, name, FILE_CLOSE_WRITE, type);
}

/* ---- what is gone ---------------------------------------------------------------------------- */

/* Those that were not found by this scan. If it was cut short, the next one tells. */
static void sweep(struct walk *w, struct dir *d, bool complete)
{
	struct buf gone = {0};
	struct entry *e;
	struct dir *child;

	for (uint32_t at = 0; (e = names_next(d->names, &at)); e->seen = false)
		if (!e->seen && complete) {
			buf_add_char(&gone, e->type);
			buf_add(&gone, e->name, strlen(e->name) + 1);
		}
	for (size_t at = 0; at < gone.length; at += strlen(gone.data + at) + 1) {
		char type = gone.data[at++];

		child = table_find(&w->children, gone.data + at);
		names_remove(&d->names, gone.data + at);
		if (child) {
			table_remove(&w->children, child->name);
			scan_gone(w->s, child);
		} else {
			changes_report(w->s, d, gone.data + at, FILE_DELETE, type);
		}
	}
	buf_free(&gone);
}

/* ---- directories ----------------------------------------------------------------------------- */

static char letter(int folder, const struct folder_entry *entry)
{
	struct stat st;
	unsigned type = entry->type;

	if (type == DT_UNKNOWN && fstatat(folder, entry->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISLNK(st.st_mode) ? DT_LNK : DT_REG;
	return type == DT_DIR ? 'd' : type == DT_LNK ? 'l' : 'f';
}

static int read_entries(struct walk *w, struct dir *d, int folder)
{
	_Alignas(struct folder_entry) char room[32768];
	const struct folder_entry *entry;
	long n;

	while ((n = syscall(SYS_getdents64, folder, room, sizeof room)) > 0)
		for (long at = 0; at < n; at += entry->length) {
			entry = (const struct folder_entry *)(const void *)(room + at);
			if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0)
				take_entry(w, d, folder, entry->name, letter(folder, entry));
		}
	return n < 0 ? -1 : 0;
}

/* Has it the watch of what stands at its path, and is it to be read? If not it is gone from the
 * tree. */
static bool look_again(struct walk *w, struct dir *d)
{
	struct file_source *s = w->s;

	switch (watch_look(s, d)) {
	case WATCH_HERE:
		if (!w->how->doors || !d->parent ||
		    filter_enters(s, d->parent, tree_path(s, d, NULL)))
			return true;
		scan_leave(s, d);
		return false;
	case WATCH_TWICE:
		scan_leave(s, d);
		return false;
	case WATCH_MOVED:
		s->rescan_again = true;
		break;
	case WATCH_GONE:
		break;
	}
	scan_gone(s, d);
	return false;
}

static void push_children(struct walk *w, const struct dir *d)
{
	for (struct dir *c = d->first_child; c; c = c->next) {
		bool due = c->fresh || (w->how->again && !(w->how->shallow && c->seen));

		c->seen = false;
		if (!due)
			continue;
		if (ARRAY_GROW(w->items, w->capacity, w->count + 1) < 0) {
			log_error(w->s->base.rule, "out of memory: %s is not read",
				  tree_path(w->s, c, NULL));
			return;
		}
		w->items[w->count++] = c;
	}
}

/* Something else stands at its path: the kernel will say where it is. */
static void read_later(struct walk *w, struct dir *d)
{
	if (!w->first) {
		rescan_soon(w->s);
		return;
	}
	d->fresh = d->unsure = true;
	doubt_add(w->s, d);
}

/* A polled directory is read again and again: its failure is told once. */
static void tell_unreadable(struct file_source *s, struct dir *d)
{
	const char *why = scan_why_unseen(errno), *path = tree_path(s, d, NULL);

	if (!d->unreadable)
		log_warn(s->base.rule, "cannot read %s: %s", path, why);
	d->unreadable = true;
}

static void directory_failed(struct walk *w, struct dir *d)
{
	struct file_source *s = w->s;

	if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		tell_unreadable(s, d);
	else if (!w->first || d->wd < 0)
		scan_gone(s, d);
	else
		read_later(w, d); /* it moved, or the kernel's IN_IGNORED ends it */
}

/* Takes the names in it, and looks for those that are gone. */
static void read_names(struct walk *w, struct dir *d, int folder)
{
	bool complete;

	table_free(&w->children);
	if (!w->first && tree_index(d, &w->children) < 0) {
		log_error(w->s->base.rule, "out of memory: %s is not read",
			  tree_path(w->s, d, NULL));
		return;
	}
	complete = read_entries(w, d, folder) == 0;
	if (!w->first)
		sweep(w, d, complete);
}

/* A root whose coming and going nobody tells may be another one by now, with a watch or without. */
static bool is_polled(const struct dir *d)
{
	return d->wd < 0 || (!d->parent && d->root->polled);
}

static void read_directory(struct walk *w, struct dir *d)
{
	struct file_source *s = w->s;
	int folder;

	w->first = d->fresh;
	w->polled = d->wd < 0;
	d->fresh = false;
	s->ahead = true;
	if (w->how->polled_only && !w->first && !is_polled(d)) {
		push_children(w, d);
		return;
	}
	/* One that could not be read yet may be gone, or elsewhere. */
	if ((!w->first || w->how->again) && !look_again(w, d))
		return;
	folder = open(tree_path(s, d, NULL), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (folder < 0) {
		directory_failed(w, d);
		return;
	}
	if (!doubt_is_folder(s, d, folder)) {
		close(folder);
		read_later(w, d);
		return;
	}
	read_names(w, d, folder);
	d->anew = d->unreadable = false;
	close(folder);
	push_children(w, d);
}

void scan(struct file_source *s, struct dir *d, const struct scan_how *how)
{
	struct walk w = {.s = s, .how = how};

	read_directory(&w, d);
	while (w.count)
		read_directory(&w, w.items[--w.count]);
	free(w.items);
	table_free(&w.children);
	watch_tell_limit(s);
	rescan_poll(s);
}
