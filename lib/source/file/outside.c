/*
 * Rules of git outside of the trees: info/exclude, the user's own file, .gitignore of directories
 * above a root. Each that was looked for is followed (lib/follow), there or not; what that reports
 * is a reason to look whether one changed.
 */
#include "source/file/kind.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct outside {
	struct link link;
	struct follow follow;
	struct file_source *source;
};

static void look(struct file_source *s)
{
	if (filter_looks_outside(&s->filter) && !s->model.early)
		file_review_entered(s);
}

static void on_changed(struct follow *f, enum follow_change change)
{
	(void)change;
	look(CONTAINER_OF(f, struct outside, follow)->source);
}

static void on_modified(struct follow *f)
{
	look(CONTAINER_OF(f, struct outside, follow)->source);
}

static bool is_followed(const struct file_source *s, const char *path)
{
	LIST_EACH(at, after, &s->outside)
	if (strcmp(CONTAINER_OF(at, struct outside, link)->follow.path, path) == 0)
		return true;
	return false;
}

static void start(struct file_source *s, const char *path)
{
	static const struct follow_calls calls = {on_changed, on_modified};
	struct outside *o = calloc(1, sizeof *o);

	if (o) {
		o->source = s;
		o->follow.calls = &calls;
		o->follow.rule = s->base.rule;
	}
	if (o && follow_start(s->base.follows, &o->follow, path) == 0) {
		list_append(&s->outside, &o->link);
		return;
	}
	log_error(s->base.rule, "cannot follow %s: %s", path, strerror(ENOMEM));
	free(o);
}

void outside_follow(struct file_source *s)
{
	bool is_new = false;
	const char *path;

	for (size_t i = 0; (path = filter_outside(&s->filter, i)); i++) {
		if (is_followed(s, path) || poll_may_hang(&s->poll, path))
			continue;
		start(s, path);
		is_new = true;
	}
	/* What was written between its reading and the start is not reported. */
	if (is_new)
		look(s);
}

void outside_stop(struct file_source *s)
{
	LIST_EACH(at, after, &s->outside)
	{
		struct outside *o = CONTAINER_OF(at, struct outside, link);

		follow_stop(&o->follow);
		list_remove(&o->link);
		free(o);
	}
}
