/* Which backends there are, what each is best for, and which one serves here. */
#include "reactor/loop.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* In the order of `auto`: measured, epoll wins on level-ready descriptors. */
static const struct backend *const backends[] = {
    &backend_epoll,
    &backend_uring,
    &backend_poll,
    &backend_select,
};

static const struct backend_info infos[] = {
    {"epoll", "everything; the default", "none but the limit on open files"},
    {"io_uring", "arming and disarming many descriptors in few system calls",
     "needs Linux 5.11 or later, and may be forbidden (kernel.io_uring_disabled, containers)"},
    {"poll", "a few descriptors; works everywhere",
     "each wait costs time in proportion to the descriptors"},
    {"select", "checking the others; the oldest interface of all",
     "each wait costs time in proportion to the highest descriptor"},
    {0},
};

const struct backend_info *reactor_backends(void)
{
	return infos;
}

static const struct backend *backend_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(backends); i++)
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	return NULL;
}

void backend_free(const struct backend *b, void *state)
{
	b->close(state);
	free(state);
}

void *backend_new(const struct backend *b, struct error *e)
{
	void *state = calloc(1, b->size);

	if (!state) {
		error_errno(e, "%s", b->name);
		return NULL;
	}
	if (!b->open || b->open(state, e) == 0)
		return state;
	backend_free(b, state);
	return NULL;
}

bool reactor_backend_works(const char *name, struct error *why)
{
	const struct backend *b = backend_find(name);
	void *state;

	if (!b) {
		error_set(why, "there is no backend \"%s\"", name);
		return false;
	}
	state = backend_new(b, why);
	if (state)
		backend_free(b, state);
	return state != NULL;
}

/* "those that work here: epoll, poll, select" */
static void hint_working(struct error *e)
{
	struct error ignored;
	struct buf b = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(backends); i++)
		if (reactor_backend_works(backends[i]->name, &ignored))
			buf_printf(&b, "%s%s", b.length ? ", " : "", backends[i]->name);
	error_hint(e, "those that work here: %s, auto", b.data ? b.data : "none");
	buf_free(&b);
}

static int backend_open(struct reactor *r, const struct backend *b, struct error *e)
{
	r->backend_state = backend_new(b, e);
	r->backend = b;
	return r->backend_state ? 0 : -1;
}

int backend_choose(struct reactor *r, const char *name, struct error *e)
{
	const struct backend *b;

	if (!name || !*name || strcmp(name, "auto") == 0) {
		for (size_t i = 0; i < ARRAY_LENGTH(backends); i++)
			if (backend_open(r, backends[i], e) == 0)
				return 0;
		return -1;
	}
	b = backend_find(name);
	if (!b)
		error_set(e, "there is no backend \"%s\"", name);
	else if (backend_open(r, b, e) == 0)
		return 0;
	hint_working(e);
	return -1;
}
