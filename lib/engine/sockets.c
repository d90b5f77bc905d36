/* See sockets.h. */
#include "engine/sockets.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "engine/retired.h"
#include "engine/state.h"
#include "net/listener.h"
#include "rule/rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One socket of a listener: descriptor, name, and its line in the ready file. */
static int pass_on(struct armed_rule *a, const struct listener *l, int i, const char *name,
		   size_t length, struct buf *names)
{
	struct passed *passed = &a->sockets.passed;

	if (passed->n == PASSED_MOST) {
		errno = EMFILE;
		return -1;
	}
	passed->fds[passed->n++] = l->fds[i];
	if (names->length)
		buf_add_char(names, ':');
	buf_add(names, name, length);
	listener_add_bound(&a->bound, l, i);
	buf_add_char(&a->bound, '\n');
	/* Servers expect a socket that blocks, as systemd passes it; evwatch never accepts here. */
	return fd_set_nonblocking(l->fds[i], false);
}

static int open_one(struct armed_rule *a, const char *word, struct buf *names, struct error *e)
{
	static const struct listen_config config = {.mode = 0600};
	struct held_socket *s = &a->sockets.items[a->sockets.n];
	size_t length;

	if (rule_socket_parse(word, &s->endpoint, &length, e) < 0)
		return -1;
	a->sockets.n++;
	if (listener_open_from(&s->listener, leaving_listener(a->engine, &s->endpoint),
			       &s->endpoint, &config, e) < 0)
		return error_of_option(e, "socket");
	for (int i = 0; i < s->listener.count; i++)
		if (pass_on(a, &s->listener, i, length ? word : a->rule->name,
			    length ? length : strlen(a->rule->name), names) < 0)
			return error_errno(e, "--socket %s", word);
	return 0;
}

int sockets_open(struct armed_rule *a, struct error *e)
{
	const struct text_list *words = &a->rule->own.sockets;
	struct buf names = {0};
	int result = 0;

	if (!words->count)
		return 0;
	a->sockets.items = calloc(words->count, sizeof *a->sockets.items);
	if (!a->sockets.items)
		return error_errno(e, "cannot open sockets");
	for (size_t i = 0; i < words->count && result == 0; i++)
		result = open_one(a, words->items[i], &names, e);
	a->sockets.passed.names = buf_take(&names);
	if (result == 0 && !a->sockets.passed.names)
		result = error_errno(e, "cannot open sockets");
	return result;
}

struct listener *sockets_find(struct armed_rule *a, const struct endpoint *ep)
{
	for (size_t i = 0; i < a->sockets.n; i++)
		if (endpoint_same(&a->sockets.items[i].endpoint, ep))
			return &a->sockets.items[i].listener;
	return NULL;
}

void sockets_close(struct armed_rule *a)
{
	struct sockets *s = &a->sockets;

	for (size_t i = 0; i < s->n; i++) {
		listener_close(&s->items[i].listener);
		endpoint_release(&s->items[i].endpoint);
	}
	free(s->items);
	free(s->passed.names);
	*s = (struct sockets){0};
}
