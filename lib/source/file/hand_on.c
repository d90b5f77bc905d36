/*
 * When the journal is handed on.
 *
 * With a command: once it has been quiet (pace.h), but for what is still being written. A file that
 * was made or written without a close is asked about after 50 ms: has anybody got it open for
 * writing? (writer.h) Nobody: it is complete. Somebody: its close is waited for, and the file asked
 * about again now and then, since the close may come by another name. Where the kernel does not
 * say, 250 ms without a write count as a close. Each file waits for itself alone.
 *
 * With --each the effects of a batch wait in the backlog for their runs, and the next batch for the
 * end of that (backlog.c).
 *
 * Without one: whenever the model has reported, but while something is in its hand. With --changed
 * what is still being written is held back here, too, since it is half of what it will be; and all
 * that was written is read before the batch is handed on.
 */
#include "source/file/kind.h"

#include "base/log.h"

#include <string.h>

#define ASK_AGAIN (250 * NS_PER_MS)
enum { MANY = 1000 };

/* ---- writers --------------------------------------------------------------------------------- */

static int64_t waits_until(const struct file_source *s, const struct record *r)
{
	return r->since + s->hand_on.pace.max_wait;
}

bool hand_on_waits(const struct file_source *s, const struct record *r)
{
	return r->now->open && s->journal.now < waits_until(s, r);
}

static bool waits(void *owner, const struct record *r)
{
	return hand_on_waits(owner, r);
}

static void review_writer(struct file_source *s, const struct record *r)
{
	struct thing *t = r->now;
	int64_t now = s->journal.now;
	enum writer writer = file_ask_writer(s, r->node, r->name);

	if (writer == WRITER_AT_WORK) {
		t->ask_at = now + ASK_AGAIN;
	} else if (writer == WRITER_NONE || now >= t->heard + ASK_AGAIN) {
		t->open = false;
		t->seen |= FILE_CLOSE_WRITE;
	} else {
		t->ask_at = t->heard + ASK_AGAIN;
	}
}

/* Asks about what is due of one list. Returns when to ask next. */
static int64_t review_list(struct file_source *s, struct link *list, int64_t until)
{
	while (!list_empty(list)) {
		struct thing *t = CONTAINER_OF(list->next, struct thing, of_open);

		bool waits = t->open && t->at && s->journal.now < waits_until(s, t->at);

		if (waits && (t->ask_at > s->journal.now || clock_read(CLOCK_OF_LOOP) >= until))
			return t->ask_at;
		list_remove(&t->of_open);
		if (!waits)
			continue;
		review_writer(s, t->at);
		if (t->open)
			list_append(&s->journal.asked, &t->of_open);
	}
	return INT64_MAX;
}

/* Asks about the writers that are due, for a turn at most. Returns when to ask next. */
static int64_t review_writers(struct file_source *s)
{
	int64_t until = file_turn_end();
	int64_t fresh = review_list(s, &s->journal.fresh, until);
	int64_t asked = review_list(s, &s->journal.asked, until);

	return fresh < asked ? fresh : asked;
}

/* ---- what counts ----------------------------------------------------------------------------- */

bool hand_on_counts(struct file_source *s, const char *path, char type)
{
	struct candidate c = {.path = path, .type = type};

	for (size_t at = 0; roots_above(s, path, &at, &c);)
		if (filter_counts(&s->filter, &c))
			return true;
	return false;
}

static bool counts(void *owner, const char *path, char type)
{
	return hand_on_counts(owner, path, type);
}

/* Is a batch held back for what is still being written? */
static bool holds_back(const struct file_source *s)
{
	return s->base.has_command || config_of(s)->changed;
}

static struct net_options options_of(struct file_source *s)
{
	const struct file_config *c = config_of(s);

	return (struct net_options){.owner = s,
				    .counts = s->filter.is_open ? NULL : counts,
				    .waits = holds_back(s) ? waits : NULL,
				    .contents = c->changed ? &s->compare.contents : NULL,
				    .gathers = s->base.has_command,
				    .names = s->base.each,
				    .moves = c->events & FILE_MOVE};
}

/* ---- handing on ------------------------------------------------------------------------------ */

static void go_on_soon(struct file_source *s)
{
	timer_start_soon(s->base.reactor, &s->hand_on.timer);
}

/* A piece a turn. The source may be gone when this returns. */
static void emit(struct file_source *s)
{
	struct emission *out = s->hand_on.emission;
	bool is_more = events_go_on(out);

	if (!is_more)
		s->hand_on.emission = NULL;
	if (is_more || s->journal.count)
		go_on_soon(s);
	events_emit(s, out);
	if (!is_more)
		events_end(out);
}

/* The model, which rests meanwhile, goes on afterwards. */
static void end_making(struct file_source *s)
{
	struct hand_on *h = &s->hand_on;
	struct net net = net_end(h->maker);

	h->maker = NULL;
	if (s->model.rests)
		file_wake(s);
	s->model.rests = false;
	s->journal.now = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	if (net.count && s->base.has_command) {
		/* Else the command had no part in it. */
		if (h->circle.runs || net.items[0].in_run)
			circle_judge(&h->circle, &net);
		pace_handed_on(&h->pace, s->journal.now);
	}
	if (net.count && s->base.each)
		backlog_take(s, &net);
	else if (net.count)
		h->emission = events_begin(s, &net);
	else
		net_free(&net);
}

/* A part of the net effect of a large batch is made in each turn. False: there is more of it. */
static bool make(struct file_source *s)
{
	int64_t until = file_turn_end();
	int result = s->hand_on.maker ? 1 : -1;

	while (result > 0 && clock_read(CLOCK_OF_LOOP) < until)
		result = net_go_on(s->hand_on.maker);
	if (result > 0) {
		s->model.rests = true;
		go_on_soon(s);
		return false;
	}
	if (result < 0)
		log_error(s->base.rule, "out of memory: %zu changes wait", s->journal.count);
	end_making(s);
	return true;
}

static void hand_on(struct file_source *s)
{
	struct net_options options = options_of(s);

	if (s->base.each)
		backlog_rejoin(s);
	if (s->journal.lost_memory)
		log_error(s->base.rule, "out of memory: some changes are not reported");
	s->journal.lost_memory = false;
	s->hand_on.maker = net_begin(&s->journal, &options);
	if (make(s) && s->hand_on.emission)
		emit(s);
}

/* Is a batch on its way? */
static bool is_busy(const struct file_source *s)
{
	return s->hand_on.maker || s->hand_on.emission;
}

/* A batch is whole between two rounds of the model, and what was heard of is a part of it. What is
 * in a directory that moved is needed in any case. */
static bool may_hand_on(const struct file_source *s)
{
	if (!s->started || s->base.paused)
		return false;
	return holds_back(s) ? model_settled(&s->model)
			     : !s->model.progress.in_hand && !s->model.moved.count;
}

static int64_t due(struct file_source *s)
{
	struct net_options options = options_of(s);
	int64_t when = pace_due(&s->hand_on.pace, &s->journal, &options, s->journal.now);
	int64_t least = s->hand_on.circle.not_before;

	return when < least ? least : when;
}

/* While there are more writers to ask at once, what was due then holds: all records are walked. */
static int64_t review_due(struct file_source *s, int64_t ask_at)
{
	if (!s->base.has_command)
		return s->journal.now;
	if (s->journal.count < MANY || ask_at > s->journal.now ||
	    s->hand_on.due_at <= s->journal.now)
		s->hand_on.due_at = due(s);
	return s->hand_on.due_at;
}

static void review_held_back(struct file_source *s)
{
	int64_t ask_at = review_writers(s), when = review_due(s, ask_at);

	if (when <= s->journal.now) {
		if (config_of(s)->changed && compare_batch(s, file_turn_end())) {
			go_on_soon(s);
			return;
		}
		hand_on(s);
		if (is_busy(s) || s->backlog.net.count || !s->journal.count || !may_hand_on(s))
			return;
		when = due(s);
	}
	timer_start_at(s->base.reactor, &s->hand_on.timer, ask_at < when ? ask_at : when);
}

/* Each review walks the whole journal: of many changes only the timer brings one. */
void hand_on_soon(struct file_source *s)
{
	if (is_busy(s))
		return;
	if (s->journal.count < MANY || !timer_active(&s->hand_on.timer))
		hand_on_review(s);
}

void hand_on_review(struct file_source *s)
{
	timer_stop(s->base.reactor, &s->hand_on.timer);
	if (s->base.paused || (s->hand_on.maker && !make(s)))
		return;
	if (s->hand_on.emission) {
		emit(s);
		return;
	}
	if (!may_hand_on(s) || (s->base.each && backlog_hand_on(s)) || !s->journal.count)
		return;
	s->journal.now = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	if (holds_back(s))
		review_held_back(s);
	else
		hand_on(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void on_timer(struct reactor *r, struct timer *t)
{
	(void)r;
	hand_on_review(CONTAINER_OF(t, struct file_source, hand_on.timer));
}

static bool is_named(struct circle *c, const char *path)
{
	const struct file_source *s = CONTAINER_OF(c, struct file_source, hand_on.circle);

	return roots_find(s, path, strlen(path));
}

void hand_on_init(struct file_source *s)
{
	struct hand_on *h = &s->hand_on;
	const struct gather *gather = &s->base.gather;

	h->pace = (struct pace){.automatic = gather->automatic,
				.debounce = gather->quiet,
				.max_wait = gather->max_wait};
	h->circle.rule = s->base.rule;
	h->circle.is_named = is_named;
	timer_init(&h->timer, CLOCK_OF_LOOP, on_timer);
	h->timer.priority = s->base.priority;
}

void hand_on_close(struct file_source *s)
{
	net_end(s->hand_on.maker);
	events_end(s->hand_on.emission);
	circle_free(&s->hand_on.circle);
	s->hand_on.maker = NULL;
	s->hand_on.emission = NULL;
}
