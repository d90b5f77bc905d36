/* See control.h. */
#include "engine/control.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/units.h"
#include "engine/requests.h"
#include "engine/state.h"
#include "net/acceptor.h"
#include "net/listener.h"
#include "net/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTROL_PATIENCE (10 * NS_PER_S)

enum { READ_SIZE = 4096 };

/*
 *	ASKING --a whole line--> (handled) --> ANSWERING --taken--> ASKING
 *	                            \--> WAITING for a run or a reload --> ANSWERING
 */
enum client_state { CLIENT_ASKING, CLIENT_WAITING, CLIENT_ANSWERING };

struct client {
	struct link link; /* among all, the one that asked longest ago first */
	struct control *control;
	struct io_watcher io;
	struct timer patience; /* while ASKING or ANSWERING */
	struct timer next;     /* the next request is in `in` already */
	enum client_state state;
	uint64_t ticket;
	size_t expected; /* answers, before the client gets one */
	struct buf bad;  /* the first of them that was */
	struct buf in, out;
	bool last; /* it is cut off after this answer */
};

struct control {
	struct engine *engine;
	struct listener listener;
	struct acceptor acceptor;
	struct link clients;
	size_t n_clients;
	uint64_t tickets;
};

static void look_for_request(struct client *c);

static void client_close(struct client *c)
{
	struct reactor *r = c->control->engine->reactor;

	timer_stop(r, &c->patience);
	timer_stop(r, &c->next);
	io_stop_close(r, &c->io);
	list_remove(&c->link);
	c->control->n_clients--;
	buf_free(&c->bad);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

static void on_patience(struct reactor *r, struct timer *t)
{
	(void)r;
	client_close(CONTAINER_OF(t, struct client, patience));
}

/* ---- answering ------------------------------------------------------------------------------- */

static void enter(struct client *c, enum client_state state)
{
	static const unsigned interests[] = {
	    [CLIENT_ASKING] = IO_READ, [CLIENT_WAITING] = 0, [CLIENT_ANSWERING] = IO_WRITE};
	struct reactor *r = c->control->engine->reactor;

	c->state = state;
	io_change(r, &c->io, interests[state]);
	if (state == CLIENT_WAITING)
		timer_stop(r, &c->patience);
	else
		timer_start_in(r, &c->patience, CONTROL_PATIENCE);
}

/* Goes on with what waits to be written; frees the client when it is done with. */
static void answer_on(struct client *c)
{
	if (!socket_flush(c->io.fd, &c->out) || (c->last && !c->out.length)) {
		client_close(c);
	} else if (c->out.length) {
		if (c->state != CLIENT_ANSWERING)
			enter(c, CLIENT_ANSWERING);
	} else {
		enter(c, CLIENT_ASKING);
		look_for_request(c);
	}
}

/* Who waits for this ticket; NULL: it is gone. */
static struct client *find_waiting(const struct control *c, uint64_t ticket)
{
	if (!c)
		return NULL;
	LIST_EACH(at, after, &c->clients)
	{
		struct client *client = CONTAINER_OF(at, struct client, link);

		if (client->state == CLIENT_WAITING && client->ticket == ticket)
			return client;
	}
	return NULL;
}

void control_expect(struct control *c, uint64_t ticket, size_t answers)
{
	struct client *client = find_waiting(c, ticket);

	if (client)
		client->expected = answers;
}

void control_answer(struct control *c, uint64_t ticket, const struct buf *line, bool bad)
{
	struct client *client = find_waiting(c, ticket);

	if (!client)
		return;
	if (bad && !client->bad.length)
		buf_add(&client->bad, line->data ? line->data : "", line->length);
	if (--client->expected > 0)
		return;
	if (client->bad.length)
		line = &client->bad;
	buf_add(&client->out, line->data ? line->data : "", line->length);
	/* It is written in the next turn: the caller may be handling its request. */
	enter(client, CLIENT_ANSWERING);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void handle(struct client *c, char *line, size_t length)
{
	struct control *control = c->control;

	list_remove(&c->link);
	list_append(&control->clients, &c->link);
	c->ticket = ++control->tickets;
	c->expected = 1;
	buf_clear(&c->bad);
	/* Before it is handled: what it starts may be over at once. */
	enter(c, CLIENT_WAITING);
	if (request_handle(control->engine, line, length, c->ticket, &c->out))
		enter(c, CLIENT_ANSWERING);
}

static void on_next(struct reactor *r, struct timer *t)
{
	struct client *c = CONTAINER_OF(t, struct client, next);
	char *end = c->in.length ? memchr(c->in.data, '\n', c->in.length) : NULL;
	char *line;
	size_t length;

	(void)r;
	if (!end || c->state != CLIENT_ASKING)
		return;
	length = (size_t)(end - c->in.data);
	line = strndup(c->in.data, length);
	if (!line) {
		client_close(c);
		return;
	}
	buf_consume(&c->in, length + 1);
	handle(c, line, strlen(line));
	free(line);
	if (c->state == CLIENT_ANSWERING)
		answer_on(c);
}

/* A request a turn. */
static void look_for_request(struct client *c)
{
	if (c->in.length && memchr(c->in.data, '\n', c->in.length)) {
		timer_start_soon(c->control->engine->reactor, &c->next);
	} else if (c->in.length > CONTROL_REQUEST) {
		request_refuse(&c->out, "the request is too long", "64 kB are the most");
		c->last = true;
		answer_on(c);
	}
}

static void read_request(struct client *c)
{
	ssize_t n;

	if (buf_reserve(&c->in, READ_SIZE) < 0) {
		client_close(c);
		return;
	}
	n = recv(c->io.fd, c->in.data + c->in.length, READ_SIZE, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		client_close(c);
		return;
	}
	if (n < 0)
		return;
	c->in.length += (size_t)n;
	if (!timer_active(&c->next))
		look_for_request(c);
}

static void on_ready(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct client *c = CONTAINER_OF(w, struct client, io);

	(void)r;
	if (c->state == CLIENT_ASKING && !timer_active(&c->next))
		read_request(c);
	else if (c->state == CLIENT_ANSWERING)
		answer_on(c);
	else if (ready & (IO_HANGUP | IO_ERROR))
		client_close(c);
}

/* ---- clients --------------------------------------------------------------------------------- */

static bool may_enter(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void refuse(int fd, const char *why)
{
	struct buf b = {0};

	request_refuse(&b, why, NULL);
	if (b.data && send(fd, b.data, b.length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug(NULL, "a control client is gone: %s", strerror(errno));
	buf_free(&b);
	close(fd);
}

/* Room for one more: the one that has said nothing for longest goes. */
static bool make_room(struct control *c)
{
	if (c->n_clients < CONTROL_CLIENTS)
		return true;
	LIST_EACH(at, after, &c->clients)
	{
		struct client *client = CONTAINER_OF(at, struct client, link);

		if (client->state == CLIENT_WAITING)
			continue;
		client_close(client);
		return true;
	}
	return false;
}

static void on_accepted(void *owner, int fd, const struct address *remote)
{
	struct control *control = owner;
	struct client *c;

	(void)remote;
	if (!may_enter(fd)) {
		refuse(fd, "this evwatch belongs to another user");
		return;
	}
	c = make_room(control) ? calloc(1, sizeof *c) : NULL;
	if (!c) {
		refuse(fd, "too many clients");
		return;
	}
	c->control = control;
	timer_init(&c->patience, CLOCK_OF_LOOP, on_patience);
	timer_init(&c->next, CLOCK_OF_LOOP, on_next);
	io_init(&c->io, fd, IO_READ, on_ready);
	list_append(&control->clients, &c->link);
	control->n_clients++;
	if (io_start(control->engine->reactor, &c->io) < 0 ||
	    timer_start_in(control->engine->reactor, &c->patience, CONTROL_PATIENCE) < 0)
		client_close(c);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* The folder that tools look in ($XDG_RUNTIME_DIR/evwatch) is made when it is missing. */
static void make_folder(const char *path)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *slash = strrchr(path, '/');
	struct buf folder = {0};

	if (!runtime || !slash)
		return;
	buf_printf(&folder, "%s/evwatch", runtime);
	if (!folder.failed && folder.length == (size_t)(slash - path) &&
	    strncmp(folder.data, path, folder.length) == 0)
		mkdir(folder.data, 0700); /* what fails is reported by bind */
	buf_free(&folder);
}

static int open_listener(struct listener *l, const char *path, struct error *e)
{
	static const struct listen_config config = {.mode = 0600};
	struct buf word = {0};
	struct endpoint ep;
	int result;

	buf_printf(&word, "unix:%s", path);
	result = word.failed ? error_errno(e, "cannot open the control socket")
			     : endpoint_parse(&ep, word.data, e);
	buf_free(&word);
	if (result < 0)
		return -1;
	make_folder(path);
	result = listener_open(l, &ep, &config, e);
	endpoint_release(&ep);
	return result;
}

struct control *control_open(struct engine *e, const char *path, struct error *error)
{
	struct control *c = calloc(1, sizeof *c);

	if (!c) {
		error_errno(error, "cannot open the control socket");
		return NULL;
	}
	c->engine = e;
	list_init(&c->clients);
	if (open_listener(&c->listener, path, error) < 0) {
		error_of_option(error, "control");
		free(c);
		return NULL;
	}
	acceptor_init(&c->acceptor, e->reactor, &c->listener, PRIORITY_DEFAULT, on_accepted, c,
		      NULL);
	if (acceptor_want(&c->acceptor, true) == 0)
		return c;
	error_errno(error, "cannot accept on the control socket");
	control_close(c);
	return NULL;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	LIST_EACH(at, after, &c->clients)
	client_close(CONTAINER_OF(at, struct client, link));
	acceptor_close(&c->acceptor);
	listener_close(&c->listener);
	free(c);
}
