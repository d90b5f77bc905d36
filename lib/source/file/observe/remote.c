/* The file system, where a part of it may hang; see remote.h. */
#include "source/file/observe/remote.h"

#include "base/fd.h"
#include "base/log.h"
#include "source/file/model/model.h"
#include "source/file/observe/asker.h"
#include "source/file/observe/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	MOST_READ = 65536, /* of a file of /proc or /sys */
	MOST_AGE = 30,     /* seconds in which nobody asks */
};

static const int64_t PATIENCE = 5000000000; /* ns until a thread is said to hang */

/* A remote mount, and its thread. */
struct site {
	struct link link;
	int id;
	const char *type;
	struct asker *asker;
	bool hangs; /* that was said */
	char point[];
};

/* A root of the user. */
struct remote_root {
	char *path, *real; /* owned; real: without links, as far as that can be said */
	struct site *site; /* NULL: it is local */
	bool whole;        /* it is the mount point of a file system */
	bool kernel;       /* a file of /proc or /sys */
	struct question *look;
};

static struct remote *remote_of(const struct file_system *fs)
{
	return (struct remote *)(uintptr_t)fs;
}

/* ---- tables by path -------------------------------------------------------------------------- */

struct key {
	const char *text;
	size_t length;
};

static uint64_t key_hash(const void *key)
{
	const struct key *k = key;

	return hash_bytes(k->text, k->length);
}

static bool text_is(const char *text, const struct key *k)
{
	return strncmp(text, k->text, k->length) == 0 && !text[k->length];
}

static uint64_t root_hash(const void *item)
{
	const struct remote_root *root = item;

	return hash_bytes(root->path, strlen(root->path));
}

static bool root_is(const void *item, const void *key)
{
	return text_is(((const struct remote_root *)item)->path, key);
}

static uint64_t question_hash(const void *item)
{
	const struct question *q = item;

	return hash_bytes(q->path, strlen(q->path));
}

static bool question_is(const void *item, const void *key)
{
	return text_is(((const struct question *)item)->path, key);
}

static const struct table_type by_root = {root_hash, key_hash, root_is},
			       by_question = {question_hash, key_hash, question_is};

/* ---- questions ------------------------------------------------------------------------------- */

static bool is_bound(const struct question *q)
{
	return q->node && q->node->watch[0] == (uintptr_t)q;
}

static void let_go(struct question *q)
{
	if (is_bound(q))
		q->node->watch[0] = 0;
	if (q->node)
		node_release(q->node);
	q->node = NULL;
}

static void drop(struct remote *r, struct question *q)
{
	let_go(q);
	if (q->lists)
		table_remove(&r->questions, &(struct key){q->path, strlen(q->path)});
	asker_drop(((struct site *)q->site)->asker, q);
}

/* What the node had is now at another path: it is opened anew, by that. */
static void give_to(struct remote *r, struct question *q, struct node *n)
{
	struct node *other = q->node;

	if (other == n)
		return;
	if (is_bound(q) && !other->gone)
		model_lost(r->model, other, false);
	let_go(q);
	q->node = n ? node_hold(n) : NULL;
}

static void on_answered(void *owner, struct question *q)
{
	struct remote *r = owner;
	struct model *m = r->model;

	if (!q->lists)
		model_hint(m, m->top, q->path, HINT_SCAN | HINT_STAMP);
	else if (q->node && !q->node->gone && q->node->state == NODE_UNREAD)
		model_list(m, q->node);
	else if (q->node)
		model_lost(m, q->node, false);
	model_drained(m);
	r->wake(r);
}

static struct question *ask(struct remote *r, struct site *s, const struct opening *how)
{
	struct question *q = table_find(&r->questions, &(struct key){how->path, strlen(how->path)});

	if (q && (q->site != s || q->root != how->root)) {
		drop(r, q);
		q = NULL;
	}
	if (!q) {
		q = asker_ask(s->asker, how, true);
		if (!q)
			return NULL;
		q->site = s;
		if (table_add(&r->questions, q) < 0) {
			asker_drop(s->asker, q);
			return NULL;
		}
	}
	q->age = 0;
	give_to(r, q, how->node);
	return q;
}

/* ---- sites ----------------------------------------------------------------------------------- */

static struct site *site_new(struct remote *r, const struct mount_point *p)
{
	size_t length = strlen(p->path) + 1;
	struct site *s = calloc(1, sizeof *s + length);

	if (!s)
		return NULL;
	s->asker = asker_new(r->reactor, r->interval, r->priority, on_answered, r);
	if (!s->asker) {
		log_error(r->rule, "cannot start a thread for %s: %s", p->path, strerror(errno));
		free(s);
		return NULL;
	}
	memcpy(s->point, p->path, length);
	s->id = p->id;
	s->type = p->remote;
	list_append(&r->sites, &s->link);
	r->ticking(r);
	if (!r->silent)
		log_warn(r->rule,
			 "%s is a file system of type %s: the kernel does not report what others "
			 "change there; it is read every second",
			 s->point, s->type);
	return s;
}

/* NULL: there is no thread to be had, and the loop looks itself. */
static struct site *site_at(struct remote *r, const struct mount_point *p)
{
	LIST_EACH(at, after, &r->sites)
	{
		struct site *s = CONTAINER_OF(at, struct site, link);

		if (s->id == p->id)
			return s;
	}
	return site_new(r, p);
}

/* What is asked of it goes first; the table may not change while it is walked. */
static void drop_all_of(struct remote *r, const struct site *s)
{
	struct question **list = calloc(r->questions.count + 1, sizeof(void *)), *q;
	struct remote_root *root;
	size_t n = 0;

	for (size_t at = 0; list && (q = table_next(&r->questions, &at));)
		if (q->site == s)
			list[n++] = q;
	while (n)
		drop(r, list[--n]);
	free(list);
	for (size_t at = 0; (root = table_next(&r->roots, &at));)
		if (root->site == s) {
			if (root->look)
				drop(r, root->look);
			root->look = NULL;
			root->site = NULL;
		}
}

static void site_free(struct remote *r, struct site *s)
{
	drop_all_of(r, s);
	list_remove(&s->link);
	asker_free(s->asker);
	free(s);
}

static bool is_mounted(const struct remote *r, const struct site *s)
{
	for (size_t i = 0; i < r->mounts->count; i++)
		if (r->mounts->items[i].id == s->id)
			return true;
	return false;
}

void remote_mounts_changed(struct remote *r)
{
	LIST_EACH(at, after, &r->sites)
	{
		struct site *s = CONTAINER_OF(at, struct site, link);

		if (!is_mounted(r, s))
			site_free(r, s);
	}
}

/* ---- where a path leads ---------------------------------------------------------------------- */

static void set_kernel(struct remote *r, struct remote_root *root, bool kernel)
{
	r->n_kernel += (size_t)kernel - (size_t)root->kernel;
	root->kernel = kernel;
	if (kernel)
		r->ticking(r);
}

static void find_site(struct remote *r, struct remote_root *root)
{
	char real[MOUNTS_PATH];
	const struct mount_point *p = mounts_resolve(r->mounts, root->path, real);
	struct site *s = p ? site_at(r, p) : NULL;

	if (root->look && s != root->site) {
		drop(r, root->look);
		root->look = NULL;
	}
	free(root->real);
	root->real = strdup(real);
	root->site = s;
	root->whole = p && p->whole && strcmp(p->path, real) == 0;
}

/* What is known of a root; `anew`: its way may be another. NULL: ENOMEM. */
static struct remote_root *root_at(struct remote *r, const char *path, size_t length, bool anew)
{
	struct remote_root *root = table_find(&r->roots, &(struct key){path, length});
	bool is_new = !root;

	if (is_new) {
		root = calloc(1, sizeof *root);
		if (root)
			root->path = strndup(path, length);
		if (!root || !root->path || table_add(&r->roots, root) < 0) {
			if (root)
				free(root->path);
			free(root);
			return NULL;
		}
	}
	if (is_new || anew)
		find_site(r, root);
	return root;
}

static int join(char *out, const char *folder, const char *name)
{
	int n = snprintf(out, MOUNTS_PATH, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder,
			 name + strspn(name, "/"));

	if (n < 0 || n >= MOUNTS_PATH)
		return -1;
	if (n > 1 && out[n - 1] == '/')
		out[n - 1] = '\0';
	return 0;
}

/* The remote mount that the path leads into, or NULL; `real` is where it leads, "" if unknown. */
static const struct mount_point *find_point(struct remote *r, const struct opening *how, char *real)
{
	const struct remote_root *root = root_at(r, how->path, how->root, false);

	real[0] = '\0';
	if (how->follow)
		return mounts_resolve(r->mounts, how->path, real);
	if (!root || !root->real || join(real, root->real, how->path + how->root) < 0)
		return NULL;
	return mounts_remote(r->mounts, real);
}

/* It is known without asking there. */
static void look_of_point(const struct mount_point *p, struct look *out)
{
	*out = (struct look){.type = 'd', .identity = {.inode = (uint64_t)p->id, .born = 1}};
	out->identity.device = disk_device(p->major, p->minor);
}

/* ---- folders --------------------------------------------------------------------------------- */

static struct remote_folder *free_folder(struct remote *r)
{
	for (int i = 0; i < REMOTE_OPEN; i++)
		if (!r->folders[i].real && !r->folders[i].answer)
			return &r->folders[i];
	errno = EMFILE;
	return NULL;
}

static struct remote_folder *folder_at(struct remote *r, int fd)
{
	if (fd >= FOLDER_REMOTE)
		return &r->folders[fd - FOLDER_REMOTE];
	for (int i = 0; i < REMOTE_OPEN && r->mounts->n_remote; i++)
		if (r->folders[i].real && r->folders[i].fd == fd)
			return &r->folders[i];
	return NULL;
}

static bool has_remote_below(const struct remote *r, const char *real)
{
	for (size_t i = 0; i < r->mounts->count; i++)
		if (r->mounts->items[i].remote && mounts_within(real, r->mounts->items[i].path))
			return true;
	return false;
}

static int open_local(struct remote *r, const struct opening *how, const char *real,
		      struct look *found)
{
	int fd = r->disk.fs.open(&r->disk.fs, how, found);
	struct remote_folder *f;

	if (fd < 0 || !real[0] || (!has_remote_below(r, real) && !how->follow))
		return fd;
	f = free_folder(r);
	if (f)
		f->real = strdup(real);
	if (!f || !f->real) {
		fd_close(&fd);
		return -1;
	}
	f->fd = fd;
	return fd;
}

/*
 * What the thread of the directory above has not seen yet is waited for: its answer will say what
 * is there now.
 */
static int open_answer(struct remote *r, const struct opening *how, const struct look *point,
		       struct question *q, struct look *found)
{
	struct answer *a = q->answer;
	struct remote_folder *f;

	errno = EAGAIN;
	if (!a || a->error == ENOENT || a->error == ENOTDIR || a->error == ELOOP)
		return -1;
	errno = a->error;
	if (a->error)
		return -1;
	*found = a->look;
	if (point)
		found->identity = point->identity;
	errno = EAGAIN;
	if (how->node && !model_expects(how->node, found))
		return -1;
	f = free_folder(r);
	if (!f)
		return -1;
	*f = (struct remote_folder){.fd = -1, .answer = answer_hold(a), .question = q};
	return FOLDER_REMOTE + (int)(f - r->folders);
}

static int open_folder(const struct file_system *fs, const struct opening *how, struct look *found)
{
	struct remote *r = remote_of(fs);
	char real[MOUNTS_PATH];
	const struct mount_point *p;
	struct look point;
	struct site *s;
	struct question *q;

	if (!r->mounts->n_remote)
		return r->disk.fs.open(&r->disk.fs, how, found);
	p = find_point(r, how, real);
	s = p ? site_at(r, p) : NULL;
	if (!s)
		return open_local(r, how, real, found);
	q = ask(r, s, how);
	errno = ENOMEM;
	if (!q)
		return -1;
	look_of_point(p, &point);
	return open_answer(r, how, p->whole && strcmp(p->path, real) == 0 ? &point : NULL, q,
			   found);
}

static int next(const struct file_system *fs, int folder, struct listed *out)
{
	struct remote *r = remote_of(fs);
	struct remote_folder *f;
	const struct found *item;

	if (folder < FOLDER_REMOTE)
		return r->disk.fs.next(&r->disk.fs, folder, out);
	f = folder_at(r, folder);
	if (f->at == f->answer->count)
		return 0;
	item = &f->answer->items[f->at++];
	*out = (struct listed){item->name, item->look.type, item->look.identity.inode};
	return 1;
}

static void close_folder(const struct file_system *fs, int folder)
{
	struct remote *r = remote_of(fs);
	struct remote_folder *f = folder_at(r, folder);

	if (f) {
		answer_release(f->answer);
		free(f->real);
		*f = (struct remote_folder){.fd = -1};
	}
	if (folder < FOLDER_REMOTE)
		r->disk.fs.close(&r->disk.fs, folder);
}

/* ---- looks ----------------------------------------------------------------------------------- */

/* A hash of what a file holds, or 0. */
static uint32_t hash_of_content(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	static char buffer[4096];
	uint64_t hash = 1;
	ssize_t n = 0;

	for (size_t had = 0; fd >= 0 && had < MOST_READ; had += (size_t)n) {
		n = read(fd, buffer, sizeof buffer);
		if (n <= 0)
			break;
		hash = hash * UINT64_C(0x9e3779b97f4a7c15) + hash_bytes(buffer, (size_t)n);
	}
	fd_close(&fd);
	return fd < 0 && hash == 1 ? 0 : (uint32_t)(hash >> 32) | 1;
}

static bool is_of_kernel(const char *path)
{
	struct statfs st;

	return statfs(path, &st) == 0 &&
	       ((uint32_t)st.f_type == PROC_SUPER_MAGIC || (uint32_t)st.f_type == SYSFS_MAGIC);
}

static int look_at_local_root(struct remote *r, struct remote_root *root, bool follow,
			      struct look *out)
{
	int result = r->disk.fs.look(&r->disk.fs, FOLDER_NONE, root->path, follow, out);
	bool kernel = result == 0 && out->type == 'f' && is_of_kernel(root->path);

	set_kernel(r, root, kernel);
	if (kernel)
		out->stamp.content = hash_of_content(root->path);
	return result;
}

static int look_at_root(struct remote *r, const char *path, bool follow, struct look *out)
{
	struct remote_root *root = root_at(r, path, strlen(path), true);
	struct opening how = {.path = path, .root = strlen(path)};
	const struct mount_point *p;

	errno = ENOMEM;
	if (!root)
		return -1;
	if (!root->site)
		return look_at_local_root(r, root, follow, out);
	set_kernel(r, root, false);
	p = root->whole ? mounts_remote(r->mounts, root->real) : NULL;
	if (p) {
		look_of_point(p, out);
		return 0;
	}
	if (!root->look) {
		root->look = asker_ask(root->site->asker, &how, false);
		if (!root->look)
			return -1;
		root->look->site = root->site;
	}
	errno = EAGAIN;
	if (!root->look->answer)
		return -1;
	*out = root->look->answer->look;
	errno = root->look->answer->error;
	return errno ? -1 : 0;
}

static int look_in_answer(const struct answer *a, const char *name, bool follow, struct look *out)
{
	const struct found *f = answer_find(a, name);

	*out = (struct look){0};
	if (!f)
		return 0;
	*out = follow ? f->target : f->look;
	errno = EIO;
	return out->type == '?' ? -1 : 0;
}

/* The entry of a local folder: is a remote mount there, or behind a link that is followed? */
static const struct mount_point *point_in(const struct remote *r, const struct remote_folder *f,
					  const char *name, bool follow, bool *exact)
{
	char path[MOUNTS_PATH], real[MOUNTS_PATH];
	const struct mount_point *p;

	if (join(path, f->real, name) < 0)
		return NULL;
	if (follow)
		p = mounts_resolve(r->mounts, path, real);
	else
		p = mounts_remote(r->mounts, strcpy(real, path));
	*exact = p && p->whole && strcmp(p->path, real) == 0;
	return p;
}

static int look(const struct file_system *fs, int folder, const char *name, bool follow,
		struct look *out)
{
	struct remote *r = remote_of(fs);
	const struct remote_folder *f = NULL;
	const struct mount_point *p = NULL;
	bool exact = false;

	if (folder == FOLDER_NONE)
		return look_at_root(r, name, follow, out);
	f = folder_at(r, folder);
	if (f && f->answer)
		return look_in_answer(f->answer, name, follow, out);
	if (f)
		p = point_in(r, f, name, follow, &exact);
	if (!p)
		return r->disk.fs.look(&r->disk.fs, folder, name, follow, out);
	look_of_point(p, out);
	errno = EAGAIN;
	return exact ? 0 : -1;
}

/* ---- the owner's ----------------------------------------------------------------------------- */

void remote_bind(struct remote *r, struct node *n, int folder)
{
	struct question *q = folder_at(r, folder)->question;
	struct question *before = (struct question *)(uintptr_t)n->watch[0];

	if (before && before != q)
		drop(r, before);
	n->watch[0] = (uintptr_t)q;
}

void remote_unbind(struct remote *r, struct node *n)
{
	if (n->watch[0])
		drop(r, (struct question *)(uintptr_t)n->watch[0]);
}

bool remote_ticks(const struct remote *r)
{
	return r->n_kernel || !list_empty(&r->sites);
}

static void name_hanging(const struct remote *r, struct site *s)
{
	int64_t waits = asker_waits(s->asker);

	if (!s->hangs && waits >= PATIENCE)
		log_warn(r->rule,
			 "the file system of type %s at %s does not answer: what changes there is "
			 "reported when it does",
			 s->type, s->point);
	else if (s->hangs && waits < PATIENCE)
		log_warn(r->rule, "the file system of type %s at %s answers again", s->type,
			 s->point);
	s->hangs = waits >= PATIENCE;
}

/* One in a tick is enough: there are few. */
static void drop_unasked(struct remote *r)
{
	struct question *q, *old = NULL;

	for (size_t at = 0; (q = table_next(&r->questions, &at));)
		if (!is_bound(q) && ++q->age > MOST_AGE)
			old = q;
	if (old)
		drop(r, old);
}

void remote_tick(struct remote *r)
{
	struct remote_root *root;

	LIST_EACH(at, after, &r->sites)
	name_hanging(r, CONTAINER_OF(at, struct site, link));
	drop_unasked(r);
	for (size_t at = 0; r->n_kernel && (root = table_next(&r->roots, &at));)
		if (root->kernel) {
			model_hint(r->model, r->model->top, root->path, HINT_SCAN | HINT_STAMP);
			model_drained(r->model);
		}
	if (r->n_kernel)
		r->wake(r);
}

bool remote_wait(struct remote *r, int64_t deadline)
{
	LIST_EACH(at, after, &r->sites)
	if (asker_wait(CONTAINER_OF(at, struct site, link)->asker, deadline))
		return true;
	return false;
}

bool remote_has(const struct remote *r, const char *path)
{
	char real[MOUNTS_PATH];

	return r->mounts->n_remote && mounts_resolve(r->mounts, path, real);
}

void remote_open(struct remote *r)
{
	r->fs = (struct file_system){open_folder, look, next, close_folder};
	disk_init(&r->disk);
	table_init(&r->roots, &by_root);
	table_init(&r->questions, &by_question);
	list_init(&r->sites);
}

void remote_close(struct remote *r)
{
	struct remote_root *root;

	LIST_EACH(at, after, &r->sites)
	site_free(r, CONTAINER_OF(at, struct site, link));
	for (size_t at = 0; (root = table_next(&r->roots, &at));) {
		free(root->path);
		free(root->real);
		free(root);
	}
	table_free(&r->roots);
	table_free(&r->questions);
}
