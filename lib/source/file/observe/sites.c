/* Remote mounts, and the threads that look there; see remote.h. */
#include "source/file/observe/remote.h"

#include "base/log.h"
#include "base/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STACK = 256 * 1024 };

static const int64_t PATIENCE = 5000000000; /* ns until a thread is said to hang */

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

	if (list_empty(&s->due) && now >= s->next_pass) {
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

static void take_answer(struct site *s, struct question *q, struct answer *fresh)
{
	bool dropped = s->asking != q;

	s->asking = NULL;
	if (!dropped)
		list_append(&s->asked, &q->link);
	if (dropped || !fresh || fresh->sum == q->sum) {
		answer_release(fresh);
		if (dropped)
			question_free(q);
		return;
	}
	q->sum = fresh->sum;
	answer_release(q->fresh);
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
	while (!s->left) {
		struct question *q = next_question(s);
		struct answer *fresh;

		if (!q)
			continue;
		s->asking = q;
		s->since = clock_read(CLOCK_OF_LOOP);
		pthread_mutex_unlock(&s->lock);
		fresh = answer_new(&s->disk.fs, &q->how);
		pthread_mutex_lock(&s->lock);
		s->since = 0;
		take_answer(s, q, fresh);
	}
	pthread_mutex_unlock(&s->lock);
	free_memory(s);
	return NULL;
}

/* ---- the loop's side ------------------------------------------------------------------------- */

static struct question *take_news(struct site *s)
{
	struct question *q = NULL;

	pthread_mutex_lock(&s->lock);
	if (!list_empty(&s->news)) {
		q = CONTAINER_OF(list_take(&s->news), struct question, of_news);
		answer_release(q->answer);
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
		question_answered(q);
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
		on_news(s->observer->reactor, &s->waker);
	return has_news;
}

/* ---- sites ----------------------------------------------------------------------------------- */

static struct site *site_alloc(struct poll_observer *o, const struct mount_point *p)
{
	size_t length = strlen(p->path) + 1;
	struct site *s = calloc(1, sizeof *s + length);
	pthread_condattr_t clock;

	if (!s)
		return NULL;
	memcpy(s->point, p->path, length);
	s->id = p->id;
	s->type = p->remote;
	s->observer = o;
	s->interval = o->interval;
	disk_init(&s->disk);
	list_init(&s->questions);
	list_init(&s->due);
	list_init(&s->asked);
	list_init(&s->news);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&s->more, &clock);
	pthread_cond_init(&s->answers, &clock);
	pthread_condattr_destroy(&clock);
	waker_init(&s->waker, on_news);
	s->waker.io.priority = o->priority;
	return s;
}

/* Returns 0, or an errno: EAGAIN, ENOMEM, EMFILE. */
static int start(struct site *s)
{
	struct reactor *r = s->observer->reactor;
	int error = waker_start(r, &s->waker) < 0 ? errno : 0;

	if (error)
		return error;
	error = thread_start(run, s, STACK);
	if (error)
		waker_stop(r, &s->waker);
	return error;
}

static struct site *site_new(struct poll_observer *o, const struct mount_point *p)
{
	struct site *s = site_alloc(o, p);
	int error = s ? start(s) : ENOMEM;

	if (error) {
		if (!o->remote.lacks_thread)
			log_error(o->rule, "cannot start a thread for %s: %s", p->path,
				  strerror(error));
		o->remote.lacks_thread = true;
		if (s)
			free_memory(s);
		return NULL;
	}
	list_append(&o->remote.sites, &s->link);
	poll_tick_on(o);
	if (o->inner) /* else polling is what the user asked for */
		log_warn(o->rule,
			 "%s is a file system of type %s: the kernel does not report what others "
			 "change there; it is read every second",
			 s->point, s->type);
	return s;
}

struct site *sites_at(struct poll_observer *o, const struct mount_point *p)
{
	LIST_EACH(at, after, &o->remote.sites)
	{
		struct site *s = CONTAINER_OF(at, struct site, link);

		if (s->id == p->id)
			return s;
	}
	return site_new(o, p);
}

/* The thread frees it. */
static void site_leave(struct site *s)
{
	LIST_EACH(at, after, &s->questions)
	question_drop(CONTAINER_OF(at, struct question, of_site));
	list_remove(&s->link);
	pthread_mutex_lock(&s->lock);
	waker_stop(s->observer->reactor, &s->waker);
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

void sites_review(struct poll_observer *o)
{
	LIST_EACH(at, after, &o->remote.sites)
	{
		struct site *s = CONTAINER_OF(at, struct site, link);

		if (!is_mounted(&o->mounts, s))
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

bool sites_tick(struct poll_observer *o)
{
	LIST_EACH(at, after, &o->remote.sites)
	{
		struct site *s = CONTAINER_OF(at, struct site, link);

		name_hanging(o->rule, s);
	}
	return !list_empty(&o->remote.sites);
}

bool sites_wait(struct poll_observer *o, int64_t deadline)
{
	LIST_EACH(at, after, &o->remote.sites)
	if (wait_for_answer(CONTAINER_OF(at, struct site, link), deadline))
		return true;
	return false;
}

/* ---- life ------------------------------------------------------------------------------------ */

void sites_open(struct poll_observer *o)
{
	table_init(&o->remote.of_roots, &table_by_text);
	list_init(&o->remote.sites);
}

void sites_close(struct poll_observer *o)
{
	LIST_EACH(at, after, &o->remote.sites)
	site_leave(CONTAINER_OF(at, struct site, link));
	table_free(&o->remote.of_roots);
}
