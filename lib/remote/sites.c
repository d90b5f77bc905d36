/* Remote mounts, and the threads that look there; see sites.h. */
#include "remote/sites.h"

#include "base/log.h"
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { STACK = 256 * 1024 };

static const int64_t PATIENCE = 5000000000; /* ns until a thread is said to hang */
static const int64_t A_SECOND = 1000000000;

/* A remote mount, and its thread. */
struct site {
	struct link link;
	int id;
	const char *type;
	struct link questions; /* by struct question.of_site */
	bool hangs;            /* that was said */
	struct sites *owner;
	struct waker waker;
	int64_t interval;

	pthread_mutex_t lock; /* of all below, and of the last part of questions */
	pthread_cond_t more, answers;
	struct link due, asked, news; /* questions of this pass, and of the next one */
	struct link dropped;          /* questions that nobody has a use for any more */
	int64_t next_pass;
	struct question *asking; /* the present question; NULL: none, or it was dropped */
	int64_t since;           /* when the present question was asked; 0: none is */
	bool left;               /* the loop has no use for it any more */
	char point[];
};

/* ---- the thread ------------------------------------------------------------------------------ */

static struct timespec time_of(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

/* The next question, or NULL after a wait for one. */
static struct question *next_question(struct site *s)
{
	int64_t now = clock_read(CLOCK_OF_LOOP);
	struct timespec until = time_of(s->next_pass);

	if (now >= s->next_pass) {
		while (!list_empty(&s->asked))
			list_append(&s->due, list_take(&s->asked));
		s->next_pass = now + s->interval;
		until = time_of(s->next_pass);
	}
	if (!list_empty(&s->due))
		return CONTAINER_OF(list_take(&s->due), struct question, link);
	if (list_empty(&s->asked))
		pthread_cond_wait(&s->more, &s->lock);
	else
		pthread_cond_timedwait(&s->more, &s->lock, &until);
	return NULL;
}

/* Frees what was dropped first, which may wait for the file system: a descriptor is closed. */
static bool is_wanted(struct site *s)
{
	while (!list_empty(&s->dropped)) {
		struct question *q = CONTAINER_OF(list_take(&s->dropped), struct question, link);

		pthread_mutex_unlock(&s->lock);
		q->type->release(q->fresh);
		q->type->free(q);
		pthread_mutex_lock(&s->lock);
	}
	return !s->left;
}

static void take_answer(struct site *s, struct question *q, void *fresh, uint64_t sum)
{
	bool dropped = s->asking != q;

	s->asking = NULL;
	if (dropped)
		list_append(&s->dropped, &q->link);
	else if (!q->type->once)
		list_append(&s->asked, &q->link);
	if (dropped || !fresh || sum == q->sum) {
		q->type->release(fresh);
		return;
	}
	q->sum = sum;
	q->type->release(q->fresh);
	q->fresh = fresh;
	if (!list_empty(&q->of_news))
		return;
	list_append(&s->news, &q->of_news);
	waker_wake(&s->waker);
	pthread_cond_signal(&s->answers);
}

static void free_memory(struct site *s)
{
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->more);
	pthread_cond_destroy(&s->answers);
	free(s);
}

static void *run(void *site)
{
	struct site *s = site;

	pthread_mutex_lock(&s->lock);
	while (is_wanted(s)) {
		struct question *q = next_question(s);
		uint64_t sum = 0;
		void *fresh;

		if (!q)
			continue;
		s->asking = q;
		s->since = clock_read(CLOCK_OF_LOOP);
		pthread_mutex_unlock(&s->lock);
		fresh = q->type->ask(q, &sum);
		pthread_mutex_lock(&s->lock);
		s->since = 0;
		take_answer(s, q, fresh, sum);
	}
	pthread_mutex_unlock(&s->lock);
	free_memory(s);
	return NULL;
}

/* ---- the loop's side ------------------------------------------------------------------------- */

void question_put(struct question *q, struct site *s)
{
	q->site = s;
	list_init(&q->link);
	list_init(&q->of_news);
	list_append(&s->questions, &q->of_site);
	pthread_mutex_lock(&s->lock);
	list_prepend(&s->due, &q->link);
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
}

void question_repeat(struct question *q)
{
	pthread_mutex_lock(&q->site->lock);
	list_append(&q->site->due, &q->link);
	pthread_cond_signal(&q->site->more);
	pthread_mutex_unlock(&q->site->lock);
}

void question_drop(struct question *q)
{
	struct site *s = q->site;

	q->type->forget(q);
	list_remove(&q->of_site);
	pthread_mutex_lock(&s->lock);
	list_remove(&q->link);
	list_remove(&q->of_news);
	q->type->release(q->answer);
	if (s->asking == q)
		s->asking = NULL; /* dropped when the thread is done with it */
	else
		list_append(&s->dropped, &q->link);
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
}

static struct question *take_news(struct site *s)
{
	struct question *q = NULL;

	pthread_mutex_lock(&s->lock);
	if (!list_empty(&s->news)) {
		q = CONTAINER_OF(list_take(&s->news), struct question, of_news);
		q->type->release(q->answer);
		q->answer = q->fresh;
		q->fresh = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	return q;
}

static void on_news(struct reactor *r, struct waker *w)
{
	struct site *s = CONTAINER_OF(w, struct site, waker);
	struct question *q;

	(void)r;
	while ((q = take_news(s)))
		q->type->answered(q);
}

/* New questions stand in front. */
static bool has_unanswered(const struct site *s)
{
	if (s->asking && !s->asking->sum)
		return true;
	return !list_empty(&s->due) && !CONTAINER_OF(s->due.next, struct question, link)->sum;
}

/* Waits for the first answer to a question, and passes it on. */
static bool wait_for_answer(struct site *s, int64_t deadline)
{
	struct timespec until = time_of(deadline);
	int error = 0;
	bool has_news;

	pthread_mutex_lock(&s->lock);
	while (list_empty(&s->news) && has_unanswered(s) && !error)
		error = pthread_cond_timedwait(&s->answers, &s->lock, &until);
	has_news = !list_empty(&s->news);
	pthread_mutex_unlock(&s->lock);
	if (has_news)
		on_news(s->owner->reactor, &s->waker);
	return has_news;
}

/* ---- sites ----------------------------------------------------------------------------------- */

static struct site *site_alloc(struct sites *sites, const struct mount_point *p)
{
	size_t length = strlen(p->path) + 1;
	struct site *s = calloc(1, sizeof *s + length);
	pthread_condattr_t clock;

	if (!s)
		return NULL;
	memcpy(s->point, p->path, length);
	s->id = p->id;
	s->type = p->remote;
	s->owner = sites;
	s->interval = sites->interval;
	list_init(&s->questions);
	list_init(&s->due);
	list_init(&s->asked);
	list_init(&s->news);
	list_init(&s->dropped);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&s->more, &clock);
	pthread_cond_init(&s->answers, &clock);
	pthread_condattr_destroy(&clock);
	waker_init(&s->waker, on_news);
	s->waker.io.priority = sites->priority;
	return s;
}

/* Returns 0, or an errno: EAGAIN, ENOMEM, EMFILE. */
static int start(struct site *s)
{
	struct reactor *r = s->owner->reactor;
	int error = waker_start(r, &s->waker) < 0 ? errno : 0;

	if (error)
		return error;
	error = thread_start(run, s, STACK);
	if (error)
		waker_stop(r, &s->waker);
	return error;
}

static struct site *site_new(struct sites *sites, const struct mount_point *p, const char *rule)
{
	struct site *s = site_alloc(sites, p);
	int error = s ? start(s) : ENOMEM;

	if (error) {
		if (!sites->lacks_thread)
			log_error(rule, "cannot start a thread for %s: %s", p->path,
				  strerror(error));
		sites->lacks_thread = true;
		if (s)
			free_memory(s);
		return NULL;
	}
	list_append(&sites->list, &s->link);
	if (!timer_active(&sites->second))
		timer_start_in(sites->reactor, &sites->second, A_SECOND);
	if (!sites->quiet)
		log_warn(rule,
			 "%s is a file system of type %s: the kernel does not report what others "
			 "change there; it is read every second",
			 s->point, s->type);
	return s;
}

struct site *sites_at(struct sites *sites, const struct mount_point *p, const char *rule)
{
	LIST_EACH(at, after, &sites->list)
	{
		struct site *s = CONTAINER_OF(at, struct site, link);

		if (s->id == p->id)
			return s;
	}
	return site_new(sites, p, rule);
}

/* The thread frees it. */
static void site_leave(struct site *s)
{
	while (!list_empty(&s->questions))
		question_drop(CONTAINER_OF(s->questions.next, struct question, of_site));
	list_remove(&s->link);
	pthread_mutex_lock(&s->lock);
	waker_stop(s->owner->reactor, &s->waker);
	s->left = true;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
}

static bool is_mounted(const struct mounts *m, const struct site *s)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->items[i].id == s->id)
			return true;
	return false;
}

void sites_review(struct sites *sites)
{
	LIST_EACH(at, after, &sites->list)
	{
		struct site *s = CONTAINER_OF(at, struct site, link);

		if (!is_mounted(sites->mounts, s))
			site_leave(s);
	}
}

/* ---- time ------------------------------------------------------------------------------------ */

static void name_hanging(const char *rule, struct site *s)
{
	bool hangs;

	pthread_mutex_lock(&s->lock);
	hangs = s->since && clock_read(CLOCK_OF_LOOP) - s->since >= PATIENCE;
	pthread_mutex_unlock(&s->lock);
	if (!s->hangs && hangs)
		log_warn(rule,
			 "the file system of type %s at %s does not answer: what changes there is "
			 "reported when it does",
			 s->type, s->point);
	else if (s->hangs && !hangs)
		log_warn(rule, "the file system of type %s at %s answers again", s->type, s->point);
	s->hangs = hangs;
}

void sites_tick(struct sites *sites)
{
	LIST_EACH(at, after, &sites->list)
	name_hanging(sites->rule, CONTAINER_OF(at, struct site, link));
	if (sites->ticked && !list_empty(&sites->list))
		sites->ticked(sites);
}

static void on_second(struct reactor *r, struct timer *t)
{
	struct sites *sites = CONTAINER_OF(t, struct sites, second);

	if (!list_empty(&sites->list))
		timer_start_in(r, t, A_SECOND);
	sites_tick(sites);
}

bool site_wait(struct site *s, int64_t patience)
{
	int64_t since;

	pthread_mutex_lock(&s->lock);
	since = s->since;
	pthread_mutex_unlock(&s->lock);
	return wait_for_answer(s, (since ? since : clock_read(CLOCK_OF_LOOP)) + patience);
}

bool sites_wait(struct sites *sites, int64_t deadline)
{
	LIST_EACH(at, after, &sites->list)
	if (wait_for_answer(CONTAINER_OF(at, struct site, link), deadline))
		return true;
	return false;
}

/* ---- life ------------------------------------------------------------------------------------ */

void sites_open(struct sites *sites)
{
	list_init(&sites->list);
	timer_init(&sites->second, CLOCK_OF_LOOP, on_second);
	sites->second.priority = sites->priority;
}

void sites_close(struct sites *sites)
{
	timer_stop(sites->reactor, &sites->second);
	LIST_EACH(at, after, &sites->list)
	site_leave(CONTAINER_OF(at, struct site, link));
}
