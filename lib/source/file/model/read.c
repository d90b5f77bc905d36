/*
 * Reading directories: for the first time, when each entry is reported at once, or again, when what
 * differs becomes a part of the round. A part at a time: a directory may have millions of entries.
 */
#include "base/buf.h"
#include "source/file/model/model.h"
#include "source/file/model/observer.h"

#include <errno.h>
#include <string.h>

enum { A_STEP = 64 /* entries */ };

/* ---- opening --------------------------------------------------------------------------------- */

/* Of what only getdents64 has named nothing but the inode is known. That of a mount point is of the
 * directory below, so what is found there is another until its name was looked at. */
bool model_expects(const struct node *n, const struct look *found)
{
	if (found->type != 'd')
		return false;
	return n->identity.device
		   ? identity_equal(&n->identity, &found->identity)
		   : !n->identity.inode || n->identity.inode == found->identity.inode;
}

/* The path is in `path`, which is to be freed. */
static struct opening opening_of(const struct model *m, struct node *n, bool to_read,
				 struct buf *path)
{
	struct opening how = {.to_read = to_read, .node = n, .follow = m->settings.follow};

	how.root = node_path(n, NULL, path);
	how.path = path->failed ? NULL : path->data;
	return how;
}

static int open_as(struct model *m, const struct opening *how, bool *displaced)
{
	struct node *n = how->node;
	struct look found;
	int folder;

	*displaced = false;
	errno = ENOMEM;
	folder = how->path ? m->fs->open(m->fs, how, &found) : -1;
	*displaced = folder < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP);
	if (folder >= 0 && !model_expects(n, &found)) {
		m->fs->close(m->fs, folder);
		*displaced = true;
		folder = -1;
	}
	if (folder >= 0) {
		n->identity = found.identity;
		n->mounted = found.mounted;
	}
	return folder;
}

int model_open_node(struct model *m, struct node *n, bool to_read, bool *displaced)
{
	struct buf path = {0};
	struct opening how = opening_of(m, n, to_read, &path);
	int folder = open_as(m, &how, displaced), saved = errno;

	buf_free(&path);
	errno = saved;
	return folder;
}

/* A link counts as a directory where it leads to one and links are followed. A root always is what
 * it leads to. */
int model_look(const struct model *m, const struct node *d, int folder, const char *name,
	       struct look *now)
{
	bool is_root = d == m->top;
	struct look target;

	if (m->fs->look(m->fs, folder, name, is_root, now) < 0)
		return -1;
	if (!is_root && now->type == 'l' && m->settings.follow &&
	    m->fs->look(m->fs, folder, name, true, &target) == 0 && target.type == 'd')
		*now = target;
	return 0;
}

/* ---- what is found --------------------------------------------------------------------------- */

bool model_stamps(const struct model *m, const struct node *d)
{
	return m->settings.stamped || d->polled || d->unwatched || d == m->top;
}

void model_compare(struct model *m, struct node *d, struct entry *e, const struct look *now,
		   bool stamps)
{
	struct stamp *was = entries_stamp(d->entries, e);
	bool written = m->since && now->changed >= m->since;
	bool touched = false;

	if (was) {
		stamps &= was->content != 0;
		written |= stamps && was->content != now->stamp.content;
		touched = stamps && was->attributes != now->stamp.attributes;
		*was = now->stamp;
	}
	written &= e->type != 'd';
	if (written || touched)
		m->host->changed(m, d, e->name, e->type, written);
	if (written) { /* what getdents64 named may have been another file */
		e->inode = now->identity.inode;
		e->sure = true;
	}
}

/* The round has it, with what the look says. */
static void add_to_round(struct model *m, struct node *d, const char *name, const struct look *now)
{
	struct touched *t = touches_add(&m->names.round, d, name);

	if (!t) {
		m->lacks_memory = true;
		return;
	}
	t->bits |= model_doubt(m, d);
	t->looked = true;
	t->now = *now;
}

/* getdents64 has said all that is needed, but of what has no type, or a stamp. */
static bool needs_look(const struct model *m, char type)
{
	return type == '?' || model_stamps(m, m->reading.node) ||
	       (type == 'l' && m->settings.follow);
}

static void take_new(struct model *m, const struct listed *listed)
{
	struct node *d = m->reading.node;
	struct look now = {.type = listed->type, .identity = {.inode = listed->inode}};
	struct look found;
	bool looks = needs_look(m, listed->type) &&
		     model_look(m, d, m->reading.folder, listed->name, &found) == 0;
	struct entry *e;

	if (looks)
		now = found;
	if (!now.type)
		return;
	e = node_add(d, listed->name, model_stamps(m, d));
	if (!e) {
		m->lacks_memory = true;
		return;
	}
	e->type = now.type;
	e->inode = now.identity.inode;
	e->sure = looks;
	if (entries_stamp(d->entries, e))
		*entries_stamp(d->entries, e) = now.stamp;
	m->host->came(m, d, e->name, e->type, 0);
	if (e->type == 'd' && m->host->enters(m, d, e->name))
		model_enter(m, d, e, &now.identity);
}

/* May it be another than is known? */
static bool is_doubtful(const struct model *m, const struct entry *e, const struct listed *listed)
{
	uint64_t inode = e->entered ? e->node->identity.inode : e->inode;

	return needs_look(m, listed->type) || e->type != listed->type || inode != listed->inode ||
	       (m->since && e->type != 'd');
}

/* The rules of what is entered may be others by now. */
static bool is_at_the_door(struct model *m, const struct node *d, const struct entry *e)
{
	return m->reading.below && e->type == 'd' && !e->twice &&
	       e->entered != m->host->enters(m, d, e->name);
}

static void take_again(struct model *m, const struct listed *listed)
{
	struct node *d = m->reading.node;
	struct entry *e = entries_find(d->entries, listed->name);
	struct look now;

	if (e)
		e->seen = true;
	if (e && e->entered && e->node->state == NODE_UNREAD)
		model_list(m, e->node); /* it was not where it was expected */
	if (e && !is_doubtful(m, e, listed) && !is_at_the_door(m, d, e))
		return;
	if (model_look(m, d, m->reading.folder, listed->name, &now) < 0)
		return;
	if (model_differs(e, &now, HINT_SCAN) || (e && is_at_the_door(m, d, e)))
		add_to_round(m, d, listed->name, &now);
	else if (e)
		model_compare(m, d, e, &now, true);
}

static void look_for_unseen(struct model *m)
{
	struct node *d = m->reading.node;
	struct entry *e;
	struct look now;

	for (uint32_t at = 0; (e = entries_next(d->entries, &at));)
		if (!e->seen && model_look(m, d, m->reading.folder, e->name, &now) == 0 &&
		    model_differs(e, &now, HINT_SCAN))
			add_to_round(m, d, e->name, &now);
}

/* ---- one directory --------------------------------------------------------------------------- */

static void stop_reading(struct model *m)
{
	struct node *n = m->reading.node;

	m->fs->close(m->fs, m->reading.folder);
	m->reading = (struct reading){.folder = -1};
	node_release(n);
}

void model_forget(struct model *m, struct node *n)
{
	if (m->reading.node == n)
		stop_reading(m);
	if (n->watched && m->observer)
		m->observer->type->unwatch(m->observer, n);
	m->left = true;
}

struct node *model_take_out(struct model *m, struct node *n)
{
	struct entry *e = entries_any(n->entries);
	struct node *d = n->parent;

	if (e && e->entered)
		return e->node;
	if (e) {
		node_remove(n, e);
		return n;
	}
	if (!d)
		return NULL;
	model_forget(m, n);
	m->directories--;
	node_remove(d, node_entry(n));
	node_retire(n);
	return d;
}

static void report_unseen(struct model *m, struct node *n, int error)
{
	if (!n->reported)
		m->host->unseen(m, n, error);
	n->reported = true;
}

/* It is not to be read by this node, and stays known by its name. Another node has it (EEXIST): it
 * is entered when the other has gone. */
static void leave_alone(struct model *m, struct node *n, int error)
{
	struct node *d = n->parent;
	struct entry *e = node_entry(n);

	e->twice = error == EEXIST;
	m->progress.drained = true; /* the other is looked at again */
	if (e->twice && !touches_add(&m->names.twice, d, e->name))
		m->lacks_memory = true;
	if (n->entries || n->watched) {
		model_leave(m, n, true);
		return;
	}
	node_detach(d, e);
	m->directories--;
	node_retire(n);
}

/* What was opened is what was listed in the directory above, or known before. Where something is
 * mounted, another inode is listed, or the observer is to know. */
static bool is_as_expected(const struct node *n, const struct identity *expected)
{
	return n->identity.inode == expected->inode &&
	       n->identity.device == n->parent->identity.device && !n->mounted;
}

static int watch_opened(struct model *m, const struct opening *how, int folder)
{
	return m->observer->type->watch(m->observer, how->node, folder, how->path) < 0 ? errno : 0;
}

/* 0, or the errno of the observer. */
static int get_watch(struct model *m, const struct opening *how, int folder)
{
	struct node *n = how->node;
	bool was = model_stamps(m, n);
	int error = m->observer ? watch_opened(m, how, folder) : 0;

	/* Until the end of this reading, if there is a watch now: what was written before is found.
	 */
	n->unwatched |= error != 0;
	if (!was && model_stamps(m, n) && node_stamp(n) < 0)
		m->lacks_memory = true;
	return error;
}

static void look_at_name(struct model *m, struct node *n)
{
	struct touches *next = m->early ? &m->names.own : &m->names.hinted;
	struct touches *in = m->progress.stage == STAGE_IDLE ? next : &m->names.round;
	struct touched *t = touches_add(in, n->parent, node_name(n));

	if (t)
		t->bits |= model_doubt(m, n->parent);
	else
		m->lacks_memory = true;
	m->progress.drained = true;
}

static void begin_reading(struct model *m, struct node *n, int folder)
{
	struct entry *e;

	m->reading = (struct reading){.node = node_hold(n), .folder = folder};
	m->reading.first = n->state == NODE_UNREAD;
	m->reading.below = n->below;
	n->state = NODE_KNOWN;
	if (n->listing.again)
		model_lost(m, n, n->below);
	else
		n->below = false;
	n->listing.again = false;
	for (uint32_t at = 0; (e = entries_next(n->entries, &at));)
		e->seen = false;
}

static void lose_below(struct model *m, struct node *n)
{
	struct entry *e;

	for (uint32_t at = 0; (e = entries_next(n->entries, &at));)
		if (e->entered && e->node->state != NODE_UNREAD) {
			e->node->state = NODE_STALE;
			e->node->below = true;
			model_list_now(m, e->node);
		}
}

static void finish(struct model *m, int error)
{
	struct node *n = m->reading.node;
	bool disturbed = m->reading.disturbed || error;

	if (m->reading.first)
		entries_fit(&n->entries);
	else if (!error)
		look_for_unseen(m);
	if (m->reading.below)
		lose_below(m, n);
	node_hold(n);
	stop_reading(m);
	if (error) {
		n->state = NODE_STALE;
		report_unseen(m, n, error);
		model_read_later(m, n);
	} else if (disturbed) {
		model_lost(m, n, false);
	} else {
		n->unwatched &= !n->watched;
		n->reported = n->unwatched;
		if (n->unwatched) { /* it is polled, wherever it is then */
			n->state = NODE_STALE;
			model_read_later(m, n);
		}
	}
	node_release(n);
}

static void on_unopened(struct model *m, struct node *n, int error, bool displaced)
{
	if (displaced) {
		look_at_name(m, n);
	} else if (error != EAGAIN) {
		report_unseen(m, n, error);
		n->early = false; /* what can be read one day is news */
		model_read_later(m, n);
	}
}

static void begin_opened(struct model *m, struct node *n, int folder, int error)
{
	if (error == EEXIST || error == EXDEV) {
		m->fs->close(m->fs, folder);
		leave_alone(m, n, error);
		return;
	}
	if (error)
		report_unseen(m, n, error);
	begin_reading(m, n, folder);
	/* What is known of it is looked at; the rest was never reported. */
	if (n->sparse && !n->learned)
		finish(m, 0);
}

static void begin(struct model *m, struct node *n)
{
	const struct identity expected = n->identity;
	struct buf path = {0};
	struct opening how = opening_of(m, n, true, &path);
	bool ahead = model_watch_ahead(m, &how), displaced;
	int folder = open_as(m, &how, &displaced), error = folder < 0 ? errno : 0;

	if (folder >= 0 && !(ahead && is_as_expected(n, &expected)))
		error = get_watch(m, &how, folder);
	if (ahead && error)
		m->observer->type->unwatch(m->observer, n);
	if (folder < 0)
		on_unopened(m, n, error, displaced);
	else
		begin_opened(m, n, folder, error);
	buf_free(&path);
}

static void read_on(struct model *m)
{
	for (int i = 0; i < A_STEP; i++) {
		struct listed listed;
		int got = m->fs->next(m->fs, m->reading.folder, &listed);

		if (got <= 0) {
			finish(m, got < 0 ? errno : 0);
			return;
		}
		if (!m->reading.first)
			take_again(m, &listed);
		/* getdents64 lists a name again that went and came back meanwhile: it may be
		 * another. */
		else if (entries_find(m->reading.node->entries, listed.name))
			m->reading.disturbed = true;
		else
			take_new(m, &listed);
	}
}

/* The next that is still to be read. Held for the caller. */
static struct node *next_of(struct nodes *list)
{
	while (list->count) {
		struct node *n = list->items[--list->count];

		n->listing.listed = false;
		if (!n->gone)
			return n;
		node_release(n);
	}
	return NULL;
}

bool model_read(struct model *m, bool entering)
{
	struct node *n;

	if (m->reading.node) {
		read_on(m);
		return true;
	}
	n = next_of(&m->nodes.stale);
	if (!n && entering)
		n = next_of(&m->nodes.unread);
	if (!n)
		return false;
	begin(m, n);
	node_release(n);
	return true;
}
