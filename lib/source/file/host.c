/*
 * The host of the model: when it works, and what it reports becomes entries of the journal; see
 * model.h and journal.h.
 */
#include "source/file/kind.h"

#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define A_RETRY (1 * NS_PER_S)

static struct file_source *source_of(struct model *m)
{
	return m->owner;
}

/* Rules of git may be what changed. What is done to files is reported between two looks, too. */
static struct journal *journal_of(struct file_source *s, const char *name)
{
	if (s->filter.git && filter_notices(&s->filter, name) && !s->model.early)
		file_review_entered(s);
	s->journal.now = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	s->journal.by = s->model.by;
	return &s->journal;
}

const char *file_path(struct file_source *s, const struct node *d, const char *name)
{
	buf_clear(&s->path);
	node_path(d, name, &s->path);
	return s->path.failed ? NULL : s->path.data;
}

enum writer file_ask_writer(struct file_source *s, const struct node *d, const char *name)
{
	const char *path = file_path(s, d, name);

	if (config_of(s)->events & (FILE_OPEN | FILE_ACCESS) || !path ||
	    poll_may_hang(&s->poll, path))
		return WRITER_UNKNOWN;
	return writer_ask(path);
}

/* ---- when the model works -------------------------------------------------------------------- */

static void report_overflow(struct file_source *s)
{
	struct node *top = s->model.top;

	s->losses.overflowed = false;
	s->model.since = 0;
	LIST_EACH(at, after, &s->roots.list)
	{
		const struct root *r = CONTAINER_OF(at, struct root, link);
		const struct entry *e = entries_find(top->entries, r->path);

		if (!r->covered)
			journal_active(&s->journal, top, r->path, e ? e->type : 0, FILE_OVERFLOW);
	}
}

/* The model has nothing to look at. */
static void caught_up(struct file_source *s)
{
	if (s->losses.overflowed && model_idle(&s->model))
		report_overflow(s);
	if (config_of(s)->fanotify)
		s->fanotify.base.type->read(&s->fanotify.base);
	if (s->losses.limit_path)
		inotify_limit_warn(&s->inotify.user, s->losses.limit_path, s->losses.over_limit);
	free(s->losses.limit_path);
	s->losses.limit_path = NULL;
	if (model_waits(&s->model) && !timer_active(&s->retry))
		timer_start_in(s->base.reactor, &s->retry, A_RETRY);
}

void file_wake(struct file_source *s)
{
	timer_start_soon(s->base.reactor, &s->work);
}

void file_review_entered(struct file_source *s)
{
	model_lost(&s->model, s->model.top, true);
	model_drained(&s->model);
}

static void look(struct file_source *s)
{
	int64_t until = file_turn_end();

	s->journal.now = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	if (model_work(&s->model, until)) {
		file_wake(s);
	} else {
		caught_up(s);
		if (config_of(s)->changed && compare_start(s, until))
			file_wake(s);
	}
}

/* The first reading is file_arm's. */
static void work(struct file_source *s)
{
	if (s->hand_on.maker || !s->started)
		return;
	look(s);
	if (s->filter.git)
		outside_follow(s);
	hand_on_soon(s);
}

static void on_work(struct reactor *r, struct timer *t)
{
	(void)r;
	work(CONTAINER_OF(t, struct file_source, work));
}

static void on_retry(struct reactor *r, struct timer *t)
{
	struct file_source *s = CONTAINER_OF(t, struct file_source, retry);

	(void)r;
	model_retry(&s->model);
	work(s);
}

void host_catch_up(struct file_source *s)
{
	observer_poll.read(&s->poll.base);
	if (timer_active(&s->work) && !s->hand_on.maker)
		look(s);
}

void host_init(struct file_source *s)
{
	timer_init(&s->work, CLOCK_OF_LOOP, on_work);
	timer_init(&s->retry, CLOCK_OF_LOOP, on_retry);
	s->work.priority = s->retry.priority = s->base.priority;
}

/* ---- what the journal asks of nodes ---------------------------------------------------------- */

static struct node *folder_parent(const struct node *d)
{
	return d->parent;
}

static bool folder_is_gone(const struct node *d)
{
	return d->gone;
}

static void folder_hold(struct node *d)
{
	node_hold(d);
}

static bool folder_next(const struct node *d, uint32_t *at, struct journal_entry *out)
{
	struct entry *e = entries_next(d->entries, at);

	if (e)
		*out = (struct journal_entry){e->name, e->type, e->entered ? e->node : NULL};
	return e;
}

const struct journal_folders file_folders = {folder_parent, node_name,    folder_is_gone,
					     folder_hold,   node_release, folder_next};

/* ---- what is entered ------------------------------------------------------------------------- */

static bool on_enters(struct model *m, const struct node *d, const char *name)
{
	struct file_source *s = source_of(m);
	const struct file_config *c = config_of(s);
	struct candidate what = {.type = 'd'};
	bool enters;
	size_t length;
	char *root;

	if (!d->parent)
		return true;
	if (c->no_recursive || (c->depth && node_depth(d) >= c->depth))
		return false;
	buf_clear(&s->path);
	length = node_path(d, name, &s->path);
	root = s->path.failed ? NULL : strndup(s->path.data, length);
	if (!root)
		return true;
	what.root = root;
	what.path = s->path.data;
	what.relative = what.path + length + strspn(what.path + length, "/");
	enters = filter_admits(&s->filter, &what);
	free(root);
	return enters;
}

/* ---- names ----------------------------------------------------------------------------------- */

/*
 * What another look found may have been closed before: where that is asked for, it is found out at
 * once, but with a command that is run for its creation as well.
 */
static bool is_closed(struct file_source *s, const struct node *d, const char *name, char type)
{
	const struct file_config *c = config_of(s);

	return type == 'f' && !s->model.early && c->events & FILE_CLOSE_WRITE &&
	       !(s->base.has_command && d->parent && c->events & FILE_CREATE) &&
	       file_ask_writer(s, d, name) == WRITER_NONE;
}

static enum arrival arrival_of(struct file_source *s, const struct node *d, const char *name,
			       char type, unsigned bits)
{
	/* No close is heard of there: what nobody has open for writing was closed. */
	if (type == 'f' && (d->polled || !s->poll.inner))
		return config_of(s)->events & (FILE_OPEN | FILE_ACCESS) ||
			       file_ask_writer(s, d, name) == WRITER_AT_WORK
			   ? ARRIVED_FOUND
			   : ARRIVED_WHOLE;
	if (bits & HINT_CAME)
		return ARRIVED_WHOLE;
	if (bits & HINT_CREATED)
		return ARRIVED_MADE;
	return is_closed(s, d, name, type) ? ARRIVED_WHOLE : ARRIVED_FOUND;
}

static void on_came(struct model *m, struct node *d, const char *name, char type, unsigned bits)
{
	struct file_source *s = source_of(m);
	struct journal *j = journal_of(s, name);

	if (!s->model.early && (bits || !d->early))
		journal_came(j, d, name, type, arrival_of(s, d, name, type, bits));
	else if (config_of(s)->existing && (d->parent || type != 'd'))
		journal_came(j, d, name, type, ARRIVED_EARLY);
	else if (config_of(s)->changed && type == 'f')
		compare_later(s, d, name);
}

static void on_gone(struct model *m, struct node *d, const char *name, char type, struct node *self)
{
	journal_gone(journal_of(source_of(m), name), d, name, type, self);
}

static void *on_take(struct model *m, struct node *d, const char *name, char type,
		     struct node *self)
{
	return journal_take(journal_of(source_of(m), name), d, name, type, self);
}

static void on_put(struct model *m, struct node *d, const char *name, void *thing)
{
	journal_put(journal_of(source_of(m), name), d, name, thing);
}

static void on_drop(struct model *m, void *thing)
{
	journal_release(&source_of(m)->journal, thing);
}

/* What is gone from it was where it was, should a directory above it have moved. */
static void on_shut(struct model *m, struct node *d, const char *name, struct node *self)
{
	journal_imply(journal_of(source_of(m), name), d, &(struct journal_entry){name, 'd', self});
}

/* ---- what is done to files ------------------------------------------------------------------- */

static void on_flickered(struct model *m, struct node *d, const char *name, unsigned active)
{
	journal_flickered(journal_of(source_of(m), name), d, name, active);
}

static bool is_own_output(struct file_source *s, const struct node *d, const char *name)
{
	const char *base = d->parent ? NULL : strrchr(name, '/'), *path;

	if (!s->filter.n_outputs)
		return false;
	base = base ? base + 1 : name;
	if (!filter_is_output(&s->filter, base, NULL))
		return false;
	path = file_path(s, d, name);
	return path && filter_is_output(&s->filter, base, path);
}

static void done_to(struct file_source *s, struct node *d, const char *name, char type,
		    unsigned events)
{
	if (s->model.early || is_own_output(s, d, name))
		return;
	journal_active(journal_of(s, name), d, name, type, events);
}

static void on_active(struct model *m, struct node *d, const char *name, char type, unsigned active)
{
	done_to(source_of(m), d, name, type, active);
}

/* What is to be compared may be half written. */
static void on_changed(struct model *m, struct node *d, const char *name, char type, bool content)
{
	struct file_source *s = source_of(m);
	unsigned written = FILE_MODIFY | (config_of(s)->changed ? 0U : FILE_CLOSE_WRITE);

	done_to(s, d, name, type, content ? written : FILE_ATTRIB);
}

/* ---- what the observer says ------------------------------------------------------------------ */

static void on_wake(struct model *m)
{
	file_wake(source_of(m));
}

static void on_lost(struct model *m, int64_t synced)
{
	struct losses *l = &source_of(m)->losses;

	if (!l->overflowed)
		m->since = synced;
	l->overflowed = true;
	l->overflows++;
}

/* ENOSPC of inotify_add_watch(2) has nothing to do with the disk. */
static void on_unseen(struct model *m, struct node *n, int error)
{
	struct file_source *s = source_of(m);
	const char *path = file_path(s, n, NULL);

	if (!path)
		return;
	if (error == ENOSPC) {
		s->losses.over_limit++;
		if (!s->losses.limit_path)
			s->losses.limit_path = strdup(path);
	} else if (error == ENAMETOOLONG) {
		log_warn(s->base.rule,
			 "cannot read %s: its path is longer than %d bytes (PATH_MAX)", path,
			 PATH_MAX - 1);
	} else {
		log_warn(s->base.rule, "cannot read %s: %s", path, strerror(error));
	}
}

const struct model_host file_host = {
    .enters = on_enters,
    .came = on_came,
    .gone = on_gone,
    .take = on_take,
    .put = on_put,
    .drop = on_drop,
    .shut = on_shut,
    .flickered = on_flickered,
    .active = on_active,
    .changed = on_changed,
    .unseen = on_unseen,
    .wake = on_wake,
    .lost = on_lost,
};
