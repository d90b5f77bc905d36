/*
 * What a file holds, before a batch and after it: a change that left it as it was is no event.
 */
#include "source/file/batch/contents.h"
#include "source/file/batch/net_inner.h"

enum { WRITTEN = FILE_MODIFY | FILE_CLOSE_WRITE };

static uint64_t content_before(const struct work *w, const struct record *r)
{
	return r ? contents_find(w->options->contents, r->node, r->name) : 0;
}

/* 0: not known. */
static uint64_t content_now(const struct work *w, const struct thing *t)
{
	if (t->type != 'f')
		return 0;
	if (t->read)
		return t->content;
	return t->seen & WRITTEN ? 0 : content_before(w, t->origin);
}

void net_leave_out_same(const struct work *w, const struct slot *s, const struct thing *now,
			struct effect *e)
{
	const struct record *before = e->event == FILE_MOVE ? now->origin : s->was;
	uint64_t content;

	if (!w->options->contents || !before || !before->was || before->was->type != 'f')
		return;
	content = content_now(w, now);
	if (!content || content != content_before(w, before))
		return;
	e->seen &= ~(unsigned)WRITTEN;
	if (e->event == FILE_MODIFY)
		e->event = 0;
}

/* What is still written holds for now what it held before. All is found before anything is put
 * down: names may have been exchanged. */
void net_find_content(const struct work *w, const struct record *r)
{
	struct thing *t = r->now;

	if (w->options->contents && t && !net_waits_wholly(w, r))
		t->content = net_waits(w, r) && t->type == 'f' ? content_before(w, t->origin)
							       : content_now(w, t);
}

void net_keep_content(const struct work *w, const struct record *r)
{
	if (w->options->contents)
		contents_keep(w->options->contents, r->node, r->name, r->now ? r->now->content : 0);
}
