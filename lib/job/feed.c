/* See feed.h. */
#include "job/feed.h"

#include "base/log.h"
#include "job/batch.h"
#include "job/job.h"

#include <unistd.h>

static void on_timer(struct reactor *r, struct timer *t);

void feed_init(struct feed *f, struct reactor *r, const struct feed_config *config, struct job *job,
	       const char *rule, const char *kind, const struct feed_host *host, void *owner)
{
	*f = (struct feed){
	    .reactor = r,
	    .config = *config,
	    .job = job,
	    .rule = rule,
	    .kind = kind,
	    .host = host,
	    .owner = owner,
	};
	list_init(&f->waiting);
	timer_init(&f->timer, CLOCK_OF_LOOP, on_timer);
}

static void lose(struct feed *f, const struct event *events, size_t n)
{
	log_error(f->rule, "out of memory: %zu events are lost", n);
	for (size_t i = 0; i < n; i++) {
		if (events[i].connection >= 0)
			close(events[i].connection);
		f->host->dropped(f->owner, events[i].token);
	}
}

/* ---- handing on ------------------------------------------------------------------------------ */

static void hand_on(struct feed *f, struct batch *b)
{
	b->feed = f;
	b->kind = f->kind;
	b->handed_on = true;
	f->unstarted++;
	job_submit(f->job, b);
}

/* A batch for each event. */
static void hand_on_each(struct feed *f, struct event *const *events, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct batch *b = batch_new(events[i], 1);

		if (!b) {
			lose(f, events[i], 1);
			continue;
		}
		b->key = b->n_subjects ? b->subjects[0] : "";
		hand_on(f, b);
	}
}

static void hand_on_batch(struct feed *f, struct batch *b)
{
	if (!f->config.each) {
		hand_on(f, b);
		return;
	}
	hand_on_each(f, b->events, b->n);
	batch_release(b);
}

static void hand_on_first(struct feed *f)
{
	struct batch *b = CONTAINER_OF(f->waiting.next, struct batch, link);

	list_remove(&b->link);
	f->n_waiting--;
	hand_on_batch(f, b);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* When may the next run start, as far as --throttle goes? */
static int64_t next_start(const struct feed *f)
{
	return f->config.throttle && f->last_start ? f->last_start + f->config.throttle : 0;
}

/* Until when does the first batch that waits have to? */
static int64_t due(const struct feed *f)
{
	int64_t at = f->config.one_by_one ? 0 : f->due;

	return at < next_start(f) ? next_start(f) : at;
}

/* Is it the source that gathers until the next run may start? */
static bool source_waits(const struct feed *f)
{
	return f->config.gathers && reactor_now(f->reactor, CLOCK_OF_LOOP) < next_start(f);
}

/* Looks again at what waits: hands it on, or waits for its time. */
static void review(struct feed *f)
{
	int64_t now = reactor_now(f->reactor, CLOCK_OF_LOOP);

	while (f->n_waiting && !(f->config.throttle && f->unstarted)) {
		int64_t at = due(f);

		if (at > now && timer_start_at(f->reactor, &f->timer, at) == 0)
			return;
		hand_on_first(f);
	}
	timer_stop(f->reactor, &f->timer);
	if (source_waits(f) && timer_start_at(f->reactor, &f->timer, next_start(f)) < 0)
		f->last_start = 0; /* sooner than never */
}

static void on_timer(struct reactor *r, struct timer *t)
{
	struct feed *f = CONTAINER_OF(t, struct feed, timer);

	(void)r;
	review(f);
	f->host->room(f->owner);
}

static void wait_alone(struct feed *f, const struct event *event)
{
	struct batch *b = batch_new(event, 1);

	if (!b) {
		lose(f, event, 1);
		return;
	}
	list_append(&f->waiting, &b->link);
	f->n_waiting++;
}

static void report_dropped(const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		b->feed->host->dropped(b->feed->owner, b->events[i]->token);
}

/* The batch grows one that waits already. */
static void join_first(struct feed *f, struct batch *b)
{
	if (batch_join(CONTAINER_OF(f->waiting.next, struct batch, link), b) == 0)
		return;
	log_error(f->rule, "out of memory: %zu events are lost", b->n);
	b->feed = f;
	report_dropped(b);
	batch_release(b);
}

static void wait_together(struct feed *f, struct batch *b)
{
	int64_t now = reactor_now(f->reactor, CLOCK_OF_LOOP);

	if (f->n_waiting) {
		join_first(f, b);
	} else {
		list_append(&f->waiting, &b->link);
		f->n_waiting = 1;
		f->since = now;
	}
	f->due = now + f->config.debounce;
	if (f->due > f->since + f->config.max_wait)
		f->due = f->since + f->config.max_wait;
}

/* ---- events ---------------------------------------------------------------------------------- */

void feed_submit_now(struct feed *f, const struct event *events, size_t n)
{
	struct batch *b = batch_new(events, n);

	if (b)
		hand_on_batch(f, b);
	else
		lose(f, events, n);
}

static void submit_each(struct feed *f, const struct event *events, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (f->config.throttle)
			wait_alone(f, &events[i]);
		else
			feed_submit_now(f, &events[i], 1);
	review(f);
}

void feed_gather(struct feed *f, const struct event *events, size_t n)
{
	struct batch *b = f->parts ? f->parts : batch_new(events, n);

	if (b && (b != f->parts || batch_add(b, events, n) == 0))
		f->parts = b;
	else
		lose(f, events, n);
}

void feed_submit(struct feed *f, const struct event *events, size_t n)
{
	struct batch *b;

	if (!n && !f->parts)
		return;
	if (f->config.one_by_one) {
		submit_each(f, events, n);
		return;
	}
	if (n)
		feed_gather(f, events, n);
	b = f->parts;
	f->parts = NULL;
	if (!b)
		return;
	if (f->config.debounce || f->config.throttle) {
		wait_together(f, b);
		review(f);
	} else {
		hand_on_batch(f, b);
	}
}

bool feed_has_room(const struct feed *f)
{
	if (f->config.gathers && f->config.throttle)
		return !f->n_waiting && !f->unstarted && !source_waits(f);
	return !f->config.one_by_one || !f->n_waiting;
}

bool feed_idle(const struct feed *f)
{
	return !f->n_waiting && !f->unstarted && !f->parts;
}

void feed_stop(struct feed *f)
{
	timer_stop(f->reactor, &f->timer);
	if (f->parts)
		list_append(&f->waiting, &f->parts->link);
	f->parts = NULL;
	LIST_EACH(at, after, &f->waiting)
	{
		struct batch *b = CONTAINER_OF(at, struct batch, link);

		list_remove(&b->link);
		b->feed = f;
		feed_give_up(b);
		batch_release(b);
	}
	f->n_waiting = 0;
	job_withdraw(f->job, f);
}

void feed_close(struct feed *f)
{
	feed_stop(f);
	job_forget(f->job, f);
}

/* Goes on in a turn of its own: this is in the midst of a reload. Who gets a token back may hand in
 * the next event at once. */
void feed_turn(struct feed *f, struct job *job)
{
	struct job *old = f->job;

	f->job = job;
	job_hand_back(old, f);
	if (timer_start_soon(f->reactor, &f->timer) < 0)
		review(f);
}

/* ---- what the job says ----------------------------------------------------------------------- */

void feed_began(struct feed *f)
{
	f->unstarted--;
	f->last_start = reactor_now(f->reactor, CLOCK_OF_LOOP);
	if (f->n_waiting || source_waits(f))
		review(f);
}

void feed_part(struct batch *b)
{
	report_dropped(b);
	b->feed = NULL;
}

/* Goes on in a turn of its own: this may be within review, for one batch after the other. */
void feed_give_up(struct batch *b)
{
	struct feed *f = b->feed;

	if (!f)
		return;
	report_dropped(b);
	if (b->begun || !b->handed_on)
		return;
	f->unstarted--;
	if (f->n_waiting && timer_start_soon(f->reactor, &f->timer) < 0)
		review(f);
}
