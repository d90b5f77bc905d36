/* Looks by a thread; see asker.h. */
#include "source/file/observe/asker.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/table.h"
#include "base/thread.h"
#include "reactor/reactor.h"
#include "source/file/model/disk.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { STACK = 256 * 1024 };

struct asker {
	void (*answered)(void *owner, struct question *q); /* the loop's; the next ones, too */
	void *owner;
	struct reactor *reactor;
	struct waker waker;
	int64_t interval;
	struct disk disk; /* the thread's */

	pthread_mutex_t lock; /* of all below, and of the private part of questions */
	pthread_cond_t more, answers;
	struct link due, asked, news; /* questions of this pass, and of the next one */
	int64_t next_pass;
	struct question *asking; /* the present question; NULL: none, or it was dropped */
	int64_t since;           /* when the present question was asked; 0: none is */
	bool left;               /* the loop has no use for it any more */
};

/* ---- answers --------------------------------------------------------------------------------- */

struct answer *answer_hold(struct answer *a)
{
	a->holds++;
	return a;
}

void answer_release(struct answer *a)
{
	if (!a || --a->holds)
		return;
	while (a->count)
		free(a->items[--a->count]);
	free(a->items);
	free(a);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct found *const *)a)->name, (*(struct found *const *)b)->name);
}

static int name_order(const void *name, const void *item)
{
	return strcmp(name, (*(struct found *const *)item)->name);
}

const struct found *answer_find(const struct answer *a, const char *name)
{
	struct found **at =
	    a->count ? bsearch(name, a->items, a->count, sizeof *a->items, name_order) : NULL;

	return at ? *at : NULL;
}

static uint64_t sum_of_look(const struct look *l)
{
	const uint64_t parts[] = {(uint64_t)l->type, l->identity.inode, l->identity.device,
				  l->identity.born,  l->stamp.content,  l->stamp.attributes};

	return hash_bytes(parts, sizeof parts);
}

/* The order of a directory is not a part of it. */
static uint64_t sum_of(const struct answer *a)
{
	uint64_t sum = sum_of_look(&a->look) + (uint64_t)a->error;

	for (size_t i = 0; i < a->count; i++) {
		const struct found *f = a->items[i];
		const uint64_t parts[] = {hash_bytes(f->name, strlen(f->name)),
					  sum_of_look(&f->look), sum_of_look(&f->target)};

		sum += hash_bytes(parts, sizeof parts);
	}
	return sum | 1;
}

/* ---- asking: by the thread ------------------------------------------------------------------- */

static int add_found(const struct file_system *fs, int folder, const char *name, bool follow,
		     struct answer *a, size_t *capacity)
{
	size_t length = strlen(name) + 1;
	struct found *f = calloc(1, sizeof *f + length);

	if (!f || ARRAY_GROW(a->items, *capacity, a->count + 1) < 0) {
		free(f);
		errno = ENOMEM;
		return -1;
	}
	memcpy(f->name, name, length);
	a->items[a->count++] = f;
	if (fs->look(fs, folder, f->name, false, &f->look) < 0)
		f->look = (struct look){.type = '?'};
	if (follow && f->look.type == 'l')
		fs->look(fs, folder, f->name, true, &f->target);
	return 0;
}

static int read_folder(const struct file_system *fs, int folder, bool follow, struct answer *a)
{
	struct listed listed;
	size_t capacity = 0;
	int got;

	while ((got = fs->next(fs, folder, &listed)) > 0)
		if (add_found(fs, folder, listed.name, follow, a, &capacity) < 0)
			return -1;
	if (a->count)
		qsort(a->items, a->count, sizeof *a->items, by_name);
	return got;
}

static int ask_folder(const struct file_system *fs, const struct question *q, struct answer *a)
{
	struct opening how = {
	    .path = q->path, .root = q->root, .follow = q->follow, .to_read = true};
	int folder = fs->open(fs, &how, &a->look), result;

	if (folder < 0)
		return -1;
	result = read_folder(fs, folder, q->follow, a);
	fs->close(fs, folder);
	return result;
}

static struct answer *ask(const struct file_system *fs, const struct question *q)
{
	struct answer *a = calloc(1, sizeof *a);
	int result;

	if (!a)
		return NULL;
	a->holds = 1;
	result =
	    q->lists ? ask_folder(fs, q, a) : fs->look(fs, FOLDER_NONE, q->path, true, &a->look);
	a->error = result < 0 ? errno : 0;
	a->sum = sum_of(a);
	return a;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void free_question(struct question *q)
{
	answer_release(q->fresh);
	free(q->path);
	free(q);
}

static struct timespec time_of(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

/* The next question, or NULL after a wait for one. */
static struct question *next_question(struct asker *a)
{
	int64_t now = clock_read(CLOCK_OF_LOOP);
	struct timespec until = time_of(a->next_pass);

	if (list_empty(&a->due) && now >= a->next_pass) {
		while (!list_empty(&a->asked))
			list_append(&a->due, list_take(&a->asked));
		a->next_pass = now + a->interval;
		until = time_of(a->next_pass);
	}
	if (!list_empty(&a->due))
		return CONTAINER_OF(list_take(&a->due), struct question, link);
	if (list_empty(&a->asked))
		pthread_cond_wait(&a->more, &a->lock);
	else
		pthread_cond_timedwait(&a->more, &a->lock, &until);
	return NULL;
}

static void take_answer(struct asker *a, struct question *q, struct answer *fresh)
{
	bool dropped = a->asking != q;

	a->asking = NULL;
	if (!dropped)
		list_append(&a->asked, &q->link);
	if (dropped || !fresh || fresh->sum == q->sum) {
		answer_release(fresh);
		if (dropped)
			free_question(q);
		return;
	}
	q->sum = fresh->sum;
	answer_release(q->fresh);
	q->fresh = fresh;
	if (!list_empty(&q->of_news))
		return;
	list_append(&a->news, &q->of_news);
	waker_wake(&a->waker);
	pthread_cond_signal(&a->answers);
}

static void free_asker(struct asker *a)
{
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->more);
	pthread_cond_destroy(&a->answers);
	free(a);
}

static void *run(void *asker)
{
	struct asker *a = asker;

	pthread_mutex_lock(&a->lock);
	while (!a->left) {
		struct question *q = next_question(a);
		struct answer *fresh;

		if (!q)
			continue;
		a->asking = q;
		a->since = clock_read(CLOCK_OF_LOOP);
		pthread_mutex_unlock(&a->lock);
		fresh = ask(&a->disk.fs, q);
		pthread_mutex_lock(&a->lock);
		a->since = 0;
		take_answer(a, q, fresh);
	}
	pthread_mutex_unlock(&a->lock);
	free_asker(a);
	return NULL;
}

/* ---- the loop's side ------------------------------------------------------------------------- */

static struct question *take_news(struct asker *a)
{
	struct question *q = NULL;

	pthread_mutex_lock(&a->lock);
	if (!list_empty(&a->news)) {
		q = CONTAINER_OF(list_take(&a->news), struct question, of_news);
		answer_release(q->answer);
		q->answer = q->fresh;
		q->fresh = NULL;
	}
	pthread_mutex_unlock(&a->lock);
	return q;
}

static void on_news(struct reactor *r, struct waker *w)
{
	struct asker *a = CONTAINER_OF(w, struct asker, waker);
	struct question *q;

	(void)r;
	while ((q = take_news(a)))
		a->answered(a->owner, q);
}

struct asker *asker_new(struct reactor *r, int64_t interval, uint8_t priority,
			void (*answered)(void *owner, struct question *q), void *owner)
{
	struct asker *a = calloc(1, sizeof *a);
	pthread_condattr_t clock;
	int error;

	if (!a)
		return NULL;
	a->answered = answered;
	a->owner = owner;
	a->reactor = r;
	a->interval = interval;
	disk_init(&a->disk);
	list_init(&a->due);
	list_init(&a->asked);
	list_init(&a->news);
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&a->more, &clock);
	pthread_cond_init(&a->answers, &clock);
	pthread_condattr_destroy(&clock);
	waker_init(&a->waker, on_news);
	a->waker.io.priority = priority;
	error = waker_start(r, &a->waker) < 0 ? errno : 0;
	if (!error) {
		error = thread_start(run, a, STACK);
		if (!error)
			return a;
		waker_stop(r, &a->waker);
	}
	free_asker(a);
	errno = error;
	return NULL;
}

void asker_drop(struct asker *a, struct question *q)
{
	pthread_mutex_lock(&a->lock);
	list_remove(&q->link);
	list_remove(&q->of_news);
	answer_release(q->answer);
	q->answer = NULL;
	if (a->asking == q)
		a->asking = NULL; /* the thread frees it */
	else
		free_question(q);
	pthread_mutex_unlock(&a->lock);
}

void asker_free(struct asker *a)
{
	pthread_mutex_lock(&a->lock);
	waker_stop(a->reactor, &a->waker);
	a->left = true;
	pthread_cond_signal(&a->more);
	pthread_mutex_unlock(&a->lock);
}

struct question *asker_ask(struct asker *a, const struct opening *how, bool lists)
{
	struct question *q = calloc(1, sizeof *q);

	if (q)
		q->path = strdup(how->path);
	if (!q || !q->path) {
		free(q);
		return NULL;
	}
	q->root = how->root;
	q->follow = how->follow;
	q->lists = lists;
	list_init(&q->link);
	list_init(&q->of_news);
	pthread_mutex_lock(&a->lock);
	list_prepend(&a->due, &q->link);
	pthread_cond_signal(&a->more);
	pthread_mutex_unlock(&a->lock);
	return q;
}

/* New questions stand in front. */
static bool has_unanswered(const struct asker *a)
{
	if (a->asking && !a->asking->sum)
		return true;
	return !list_empty(&a->due) && !CONTAINER_OF(a->due.next, struct question, link)->sum;
}

bool asker_wait(struct asker *a, int64_t deadline)
{
	struct timespec until = time_of(deadline);
	int error = 0;
	bool has_news;

	pthread_mutex_lock(&a->lock);
	while (list_empty(&a->news) && has_unanswered(a) && !error)
		error = pthread_cond_timedwait(&a->answers, &a->lock, &until);
	has_news = !list_empty(&a->news);
	pthread_mutex_unlock(&a->lock);
	if (has_news)
		on_news(a->reactor, &a->waker);
	return has_news;
}

int64_t asker_waits(struct asker *a)
{
	int64_t since;

	pthread_mutex_lock(&a->lock);
	since = a->since;
	pthread_mutex_unlock(&a->lock);
	return since ? clock_read(CLOCK_OF_LOOP) - since : 0;
}
