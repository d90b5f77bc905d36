/*
 * When directories are read again: again and again where the kernel gives no watch, and once more
 * after it has lost events.
 */
#include "base/log.h"
#include "base/units.h"
#include "source/file/file.h"

#include <time.h>

#define POLL_FALLBACK (2 * NS_PER_S)
#define RESCAN_FIRST  (10 * NS_PER_MS)
#define RESCAN_MOST   (1 * NS_PER_S)

/* ---- polling --------------------------------------------------------------------------------- */

void rescan_poll(struct file_source *s)
{
	const struct file_config *c = s->base.config;

	if (!s->started || timer_active(&s->poll_timer) || (!c->poll && !s->n_polled))
		return;
	if (timer_start_in(s->base.reactor, &s->poll_timer, c->poll ? c->poll : POLL_FALLBACK) < 0)
		log_error(s->base.rule, "out of memory: polling ends");
}

static void on_poll(struct reactor *r, struct timer *t)
{
	static const struct scan_how how = {.report = true, .again = true, .polled_only = true};
	struct file_source *s = CONTAINER_OF(t, struct file_source, poll_timer);

	(void)r;
	if (!s->base.paused || s->base.has_command)
		roots_rescan(s, &how);
	rescan_poll(s);
	batch_review(s);
}

/* ---- after an overflow ----------------------------------------------------------------------- */

void rescan_overflowed(struct file_source *s)
{
	if (!s->overflowed)
		log_warn(s->base.rule,
			 "the kernel's event queue overflowed: the tree is read again");
	s->overflowed = true;
	s->overflows++;
	rescan_soon(s);
}

void rescan_soon(struct file_source *s)
{
	if (!s->fan && !timer_active(&s->rescan_timer) &&
	    timer_start_in(s->base.reactor, &s->rescan_timer, s->rescan_wait) < 0)
		log_error(s->base.rule, "out of memory: the tree is not read again");
}

static void report_overflow(struct file_source *s)
{
	LIST_EACH(at, after, &s->roots)
	{
		const struct root *root = CONTAINER_OF(at, struct root, link);

		changes_add(
		    s, &(struct happening){
			   .event = FILE_OVERFLOW, .path = root->path, .root = root, .type = 'd'});
	}
}

/* Each overflow that follows closely waits twice as long: reading costs more than the storm. */
static void on_rescan(struct reactor *r, struct timer *t)
{
	struct file_source *s = CONTAINER_OF(t, struct file_source, rescan_timer);
	struct scan_how how = {.report = true, .again = true, .doors = true};
	struct timespec began;
	bool lost;

	if (!s->overflowed)
		reader_read(s); /* what is told is not to be found */
	clock_gettime(CLOCK_REALTIME_COARSE, &began);
	how.lost = lost = s->overflowed;
	s->overflowed = s->rescan_again = false;
	roots_rescan(s, &how);
	if (s->rescan_again)
		roots_rescan(s, &how);
	s->synced = began;
	if (lost)
		report_overflow(s);
	if (s->rescan_wait < RESCAN_MOST)
		s->rescan_wait *= 2;
	reader_read(s);
	if (!s->overflowed)
		s->rescan_wait = RESCAN_FIRST;
	(void)r;
}

void rescan_init(struct file_source *s)
{
	s->rescan_wait = RESCAN_FIRST;
	timer_init(&s->poll_timer, CLOCK_OF_LOOP, on_poll);
	timer_init(&s->rescan_timer, CLOCK_OF_LOOP, on_rescan);
	clock_gettime(CLOCK_REALTIME_COARSE, &s->synced);
}
