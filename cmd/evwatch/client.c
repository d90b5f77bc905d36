/* See client.h. */
#include "client.h"

#include "address/endpoint.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_SECONDS = 10, READ_SIZE = 65536 };

static int say(const struct client *c, const char *what, const char *hint)
{
	struct buf b = {0};

	buf_printf(&b, "evwatch: %s: ", c->tool);
	escape_control(&b, what, strlen(what));
	if (hint && *hint) {
		buf_printf(&b, "\nevwatch: %s: ", c->tool);
		escape_control(&b, hint, strlen(hint));
	}
	fprintf(stderr, "%s\n", b.failed ? "evwatch: out of memory" : b.data);
	buf_free(&b);
	return -1;
}

static int say_error(const struct client *c, const struct error *e)
{
	return say(c, e->what, e->hint);
}

/* ---- finding it ------------------------------------------------------------------------------ */

/* A connection to the socket at `path`, or -1 with errno. */
static int connect_to(const char *path)
{
	struct endpoint ep = {.kind = ENDPOINT_UNIX, .path = (char *)path};
	struct address a;
	int fd;

	if (strlen(path) >= sizeof a.un.sun_path || endpoint_addresses(&ep, &a, 1) != 1) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, &a.any, a.length) < 0)
		fd_close(&fd);
	return fd;
}

struct search {
	char *folder;
	int fd, found;
	struct buf names; /* of all, for the message */
};

static void try_entry(struct search *s, const char *name)
{
	struct buf path = {0};
	int fd;

	buf_printf(&path, "%s/%s", s->folder, name);
	fd = path.failed || name[0] == '.' ? -1 : connect_to(path.data);
	if (fd >= 0) {
		buf_printf(&s->names, "%s%s", s->found++ ? " " : "", path.data);
		if (s->fd < 0)
			s->fd = fd;
		else
			close(fd);
	}
	buf_free(&path);
}

static int search_folder(struct client *c, const char *runtime)
{
	struct search s = {.fd = -1};
	struct error e;
	struct dirent *entry;
	DIR *d;

	if (asprintf(&s.folder, "%s/evwatch", runtime) < 0)
		return say(c, "out of memory", NULL);
	d = opendir(s.folder);
	while (d && (entry = readdir(d)))
		try_entry(&s, entry->d_name);
	if (d)
		closedir(d);
	error_clear(&e);
	if (s.found == 0) {
		error_set(&e, "no evwatch has its control socket in %s", s.folder);
		error_hint(&e, "start it with --control %s/NAME, or say --control PATH here",
			   s.folder);
	} else if (s.found > 1) {
		error_set(&e, "there are several: %s", s.names.data);
		error_hint(&e, "choose one with --control PATH");
		fd_close(&s.fd);
	}
	buf_free(&s.names);
	free(s.folder);
	c->fd = s.fd;
	return c->fd < 0 ? say_error(c, &e) : 0;
}

int client_open(struct client *c, const char *tool, const char *path)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct error e;

	*c = (struct client){.tool = tool, .fd = -1};
	if (!path)
		path = getenv("EVWATCH_CONTROL");
	if (path && *path) {
		c->fd = connect_to(path);
		if (c->fd >= 0)
			return 0;
		error_errno(&e, "cannot connect to %s", path);
		if (errno == ENOENT || errno == ECONNREFUSED)
			error_hint(&e, "is evwatch running with --control %s?", path);
		return say_error(c, &e);
	}
	if (runtime && *runtime)
		return search_folder(c, runtime);
	return say(c, "no running evwatch is found",
		   "--control PATH or EVWATCH_CONTROL names its control socket");
}

/* ---- asking ---------------------------------------------------------------------------------- */

static int send_request(const struct client *c, const char *request)
{
	struct buf b = {0};
	int result;

	buf_printf(&b, "%s\n", request);
	result = b.failed ? -1 : 0;
	for (size_t at = 0; result == 0 && at < b.length;) {
		ssize_t n = send(c->fd, b.data + at, b.length - at, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			result = -1;
		if (n > 0)
			at += (size_t)n;
	}
	buf_free(&b);
	return result;
}

/* Reads up to the end of a line; its length, or -1 with errno (0: it is gone). */
static ssize_t receive_line(struct client *c)
{
	for (;;) {
		char *end = c->in.length ? memchr(c->in.data, '\n', c->in.length) : NULL;
		ssize_t n;

		if (end)
			return end - c->in.data;
		if (buf_reserve(&c->in, READ_SIZE) < 0)
			return -1;
		n = recv(c->fd, c->in.data + c->in.length, READ_SIZE, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n ? errno : 0;
			return -1;
		}
		c->in.length += (size_t)n;
	}
}

static int set_patience(const struct client *c, bool patient)
{
	struct timeval wait = {.tv_sec = patient ? 0 : ANSWER_SECONDS};

	return setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
}

static int no_answer(const struct client *c)
{
	if (errno == EAGAIN)
		return say(c, "evwatch does not answer", "is it stopped?");
	if (errno == 0 || errno == ECONNRESET || errno == EPIPE)
		return say(c, "evwatch has gone", NULL);
	return say(c, strerror(errno), NULL);
}

const struct json_value *client_ask(struct client *c, const char *request, bool patient)
{
	struct error e;
	ssize_t length;

	if (set_patience(c, patient) < 0 || (send_request(c, request) < 0 && errno != EPIPE) ||
	    (length = receive_line(c)) < 0) {
		no_answer(c);
		return NULL;
	}
	free(c->text);
	free(c->raw);
	c->text = strndup(c->in.data, (size_t)length);
	c->raw = strndup(c->in.data, (size_t)length);
	buf_consume(&c->in, (size_t)length + 1);
	if (!c->text || !c->raw) {
		say(c, "out of memory", NULL);
		return NULL;
	}
	if (json_read(&c->answer, c->text, strlen(c->text), &e) == 0)
		return c->answer.values;
	say_error(c, &e);
	return NULL;
}

void client_print(FILE *to, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		struct buf b = {0};

		escape_control(&b, text, n);
		fprintf(to, "%s\n", b.data ? b.data : "");
		buf_free(&b);
		text += n + (text[n] == '\n');
	}
}

const struct json_value *client_do(struct client *c, const char *request, bool patient)
{
	const struct json_value *answer = client_ask(c, request, patient);

	if (!answer || json_flag(answer, "ok"))
		return answer;
	client_print(stderr, json_text(answer, "details", ""));
	say(c, json_text(answer, "error", "it refuses"), json_text(answer, "hint", NULL));
	return NULL;
}

void client_close(struct client *c)
{
	fd_close(&c->fd);
	buf_free(&c->in);
	json_free(&c->answer);
	free(c->text);
	free(c->raw);
}
