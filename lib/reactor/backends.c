/* Which backends there are, and which one serves here. */
#include "reactor/loop.h"

#include "base/array.h"
#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of `auto`: measured, epoll wins on level-ready descriptors. */
#define BACKENDS(X)                                                                                \
	X(epoll)                                                                                   \
	X(io_uring)                                                                                \
	X(poll)                                                                                    \
	X(select)

#define DECLARE(name) extern const struct backend backend_##name;
BACKENDS(DECLARE)

#define ADDRESS(name) &backend_##name,
static const struct backend *const backends[] = {BACKENDS(ADDRESS)};

#define INFO(name) &backend_##name.info,
static const struct backend_info *const infos[] = {BACKENDS(INFO) NULL};

const struct backend_info *const *reactor_backends(void)
{
	return infos;
}

int reactor_fail(struct reactor_error *e, const char *hint, const char *what, const char *why)
{
	int saved = errno;

	if (e) {
		snprintf(e->what, sizeof e->what, "%s: %.100s", what, why);
		snprintf(e->hint, sizeof e->hint, "%s", hint);
	}
	errno = saved;
	return -1;
}

int reactor_fail_errno(struct reactor_error *e, const char *what)
{
	const char *hint = fd_is_short(errno) ? "raise the limit of open files (ulimit -n)" : "";

	return reactor_fail(e, hint, what, strerror(errno));
}

static const struct backend *backend_find(const char *name, struct reactor_error *e)
{
	for (size_t i = 0; i < ARRAY_LENGTH(backends); i++)
		if (strcmp(backends[i]->info.name, name) == 0)
			return backends[i];
	errno = EINVAL;
	reactor_fail(e, "", "there is no such backend", name);
	return NULL;
}

void backend_free(const struct backend *b, void *state)
{
	b->dealloc(state);
	free(state);
}

void *backend_new(const struct backend *b, struct reactor_error *e)
{
	void *state = calloc(1, b->size);

	if (!state) {
		reactor_fail_errno(e, b->info.name);
		return NULL;
	}
	if (!b->init || b->init(state, e) == 0)
		return state;
	backend_free(b, state);
	return NULL;
}

bool reactor_backend_works(const char *name, struct reactor_error *why)
{
	const struct backend *b = backend_find(name, why);
	void *state = b ? backend_new(b, why) : NULL;

	if (state)
		backend_free(b, state);
	return state != NULL;
}

/* "those that work here: epoll, poll, select, auto" */
static void hint_working(struct reactor_error *e)
{
	size_t n;

	if (!e)
		return;
	n = (size_t)snprintf(e->hint, sizeof e->hint, "those that work here: ");
	for (size_t i = 0; i < ARRAY_LENGTH(backends) && n < sizeof e->hint; i++)
		if (reactor_backend_works(backends[i]->info.name, NULL))
			n += (size_t)snprintf(e->hint + n, sizeof e->hint - n, "%s, ",
					      backends[i]->info.name);
	if (n < sizeof e->hint)
		snprintf(e->hint + n, sizeof e->hint - n, "auto");
}

int backend_choose(struct reactor *r, const char *name, struct reactor_error *e)
{
	bool any = !name || !*name || strcmp(name, "auto") == 0;
	const struct backend *named = any ? NULL : backend_find(name, e);

	for (size_t i = 0; i < ARRAY_LENGTH(backends) && !r->backend_state; i++)
		if (any || backends[i] == named) {
			r->backend = backends[i];
			r->backend_state = backend_new(r->backend, e);
		}
	if (r->backend_state)
		return 0;
	if (!any)
		hint_working(e);
	return -1;
}
