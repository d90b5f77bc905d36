/* Which backends there are, and which one serves here. */
#include "reactor/loop.h"

#include "base/array.h"
#include "base/fd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * One line for each, in the order of `auto`: measured, epoll wins on level-ready descriptors. A new
 * backend is a file that defines backend_NAME, and its line here.
 */
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

/* ---- errors in words ------------------------------------------------------------------------- */

int reactor_fail(struct reactor_error *e, const char *hint, const char *format, ...)
{
	int saved = errno;
	va_list values;

	if (!e)
		return -1;
	va_start(values, format);
	vsnprintf(e->what, sizeof e->what, format, values);
	va_end(values);
	snprintf(e->hint, sizeof e->hint, "%s", hint);
	errno = saved;
	return -1;
}

int reactor_fail_errno(struct reactor_error *e, const char *what)
{
	const char *hint = fd_is_short(errno) ? "raise the limit of open files (ulimit -n)" : "";

	return reactor_fail(e, hint, "%s: %s", what, strerror(errno));
}

/* ---- one of them ----------------------------------------------------------------------------- */

static const struct backend *backend_find(const char *name, struct reactor_error *e)
{
	for (size_t i = 0; i < ARRAY_LENGTH(backends); i++)
		if (strcmp(backends[i]->info.name, name) == 0)
			return backends[i];
	errno = EINVAL;
	reactor_fail(e, "", "there is no backend \"%.100s\"", name);
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

static int backend_open(struct reactor *r, const struct backend *b, struct reactor_error *e)
{
	r->backend_state = backend_new(b, e);
	r->backend = b;
	return r->backend_state ? 0 : -1;
}

int backend_choose(struct reactor *r, const char *name, struct reactor_error *e)
{
	const struct backend *b;

	if (!name || !*name || strcmp(name, "auto") == 0) {
		for (size_t i = 0; i < ARRAY_LENGTH(backends); i++)
			if (backend_open(r, backends[i], e) == 0)
				return 0;
		return -1;
	}
	b = backend_find(name, e);
	if (b && backend_open(r, b, e) == 0)
		return 0;
	hint_working(e);
	return -1;
}
