/*
 * One direction of a relayed connection.
 *
 * Small messages are copied through a buffer that all flows share: they cost two system calls and
 * no memory. When the buffer came full there is more behind it, and the flow goes on by splice(2)
 * through a pipe from a pool, without copying, until the source runs dry. What the destination does
 * not take is held (at most a buffer or a pipe), and reading stops until it is gone. With --rate or
 * --dump everything is copied: pieces are small, or are to be looked at.
 */
#include "source/relay/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS = 8, PIPE_SIZE = 1024 * 1024 };

enum step {
	STEP_MOVED,
	STEP_DRY,     /* nothing to read, or the end of it */
	STEP_BLOCKED, /* the destination takes no more */
	STEP_READ_FAILED,
	STEP_WRITE_FAILED,
};

/* ---- pipes ----------------------------------------------------------------------------------- */

/* Takes one from the pool, or makes one. False: none is to be had; copying does as well. */
static bool pipe_take(struct relay_source *s, struct flow *f)
{
	int fds[2];

	if (s->n_pipes > 0) {
		f->pipe = s->pipes[--s->n_pipes];
		return true;
	}
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	/* Unprivileged users may not have as much: the size it has then does. */
	fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);
	f->pipe = (struct pipe){fds[0], fds[1]};
	return true;
}

static void pipe_drop(struct pipe *p)
{
	close(p->read_end);
	close(p->write_end);
	*p = (struct pipe){-1, -1};
}

static void pipe_give_back(struct relay_source *s, struct flow *f)
{
	if (f->pipe.read_end < 0)
		return;
	/* One with bytes in it is of no use to another flow. */
	if (f->in_pipe || s->n_pipes == PIPES_KEPT) {
		pipe_drop(&f->pipe);
		f->in_pipe = 0;
		return;
	}
	s->pipes[s->n_pipes++] = f->pipe;
	f->pipe = (struct pipe){-1, -1};
}

void pipes_close(struct relay_source *s)
{
	while (s->n_pipes > 0)
		pipe_drop(&s->pipes[--s->n_pipes]);
}

void flow_close(struct relay_source *s, struct flow *f)
{
	free(f->left);
	f->left = NULL;
	pipe_give_back(s, f);
}

bool flow_is_blocked(const struct flow *f)
{
	return f->left || f->in_pipe;
}

/* ---- copying --------------------------------------------------------------------------------- */

/* Keeps what the destination did not take. */
static enum step hold(struct flow *f, const char *bytes, size_t length)
{
	f->left = malloc(length);
	if (!f->left)
		return STEP_WRITE_FAILED;
	memcpy(f->left, bytes, length);
	f->left_length = (uint32_t)length;
	f->left_sent = 0;
	return STEP_BLOCKED;
}

static ssize_t send_some(int fd, const char *bytes, size_t length)
{
	ssize_t n;

	do
		n = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	return n;
}

/* Sends what is held. */
static enum step send_left(struct flow *f, int to)
{
	ssize_t n = send_some(to, f->left + f->left_sent, f->left_length - f->left_sent);

	if (n < 0)
		return STEP_WRITE_FAILED;
	f->left_sent += (uint32_t)n;
	f->bytes += (uint64_t)n;
	if (f->left_sent < f->left_length)
		return STEP_BLOCKED;
	free(f->left);
	f->left = NULL;
	return STEP_MOVED;
}

/* Reads at most `most` (a buffer) and sends it; *full: there is more where it came from. */
static enum step copy(struct pair *p, struct end *from, int to, size_t most, bool *full)
{
	struct relay_source *s = p->owner;
	struct flow *f = &from->flow;
	ssize_t n = recv(from->io.fd, s->buffer, most, MSG_DONTWAIT), sent;

	*full = n == (ssize_t)most;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? STEP_DRY : STEP_READ_FAILED;
	if (n == 0) {
		f->ended = true;
		return STEP_DRY;
	}
	limit_take(p, from, (size_t)n);
	if (s->dump.source)
		pair_dump(p, from, s->buffer, (size_t)n);
	sent = send_some(to, s->buffer, (size_t)n);
	if (sent < 0)
		return STEP_WRITE_FAILED;
	f->bytes += (uint64_t)sent;
	if (sent < n)
		return hold(f, s->buffer + sent, (size_t)(n - sent));
	return !*full ? STEP_DRY : STEP_MOVED; /* a short read: there is no more for now */
}

/* ---- splicing -------------------------------------------------------------------------------- */

static enum step pipe_empty(struct flow *f, int to)
{
	while (f->in_pipe) {
		ssize_t n = splice(f->pipe.read_end, NULL, to, NULL, f->in_pipe,
				   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

		if (n < 0 && errno == EAGAIN)
			return STEP_BLOCKED;
		if (n < 0 && errno != EINTR)
			return STEP_WRITE_FAILED;
		if (n > 0) {
			f->in_pipe -= (size_t)n;
			f->bytes += (uint64_t)n;
		}
	}
	return STEP_MOVED;
}

static enum step splice_some(struct flow *f, int from, int to)
{
	ssize_t n = splice(from, NULL, f->pipe.write_end, NULL, PIPE_SIZE,
			   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? STEP_DRY : STEP_READ_FAILED;
	if (n == 0) {
		f->ended = true;
		return STEP_DRY;
	}
	f->in_pipe += (size_t)n;
	return pipe_empty(f, to);
}

/* ---- a flow ---------------------------------------------------------------------------------- */

/* What was held goes first. */
static enum step send_held(struct flow *f, int to)
{
	if (f->left)
		return send_left(f, to);
	if (f->in_pipe)
		return pipe_empty(f, to);
	return STEP_MOVED;
}

static enum step move(struct pair *p, struct end *from, int to)
{
	struct relay_source *s = p->owner;
	struct flow *f = &from->flow;
	enum step step = send_held(f, to);
	bool full = f->pipe.read_end >= 0, watched = p->limits || s->dump.source;

	/* A few rounds: the other connections want their turn, and the level stays. */
	for (int i = 0; i < ROUNDS && step == STEP_MOVED && !f->ended; i++) {
		size_t most = limit_allows(p, from, BUFFER);

		if (!most)
			return STEP_DRY;
		if (full && !watched && (f->pipe.read_end >= 0 || pipe_take(s, f)))
			step = splice_some(f, from->io.fd, to);
		else
			step = copy(p, from, to, most, &full);
	}
	if (step == STEP_DRY)
		pipe_give_back(s, f);
	return step;
}

/* A FIN is passed on when everything before it is. */
static void pass_on_end(struct flow *f, int to)
{
	if (!f->ended || f->shut || flow_is_blocked(f))
		return;
	shutdown(to, SHUT_WR);
	f->shut = true;
}

enum flow_result flow_run(struct pair *p, struct end *from)
{
	struct flow *f = &from->flow;
	struct end *to = end_other(p, from);
	enum step step;

	if (f->shut)
		return FLOW_FINE;
	step = move(p, from, to->io.fd);
	if (step == STEP_READ_FAILED)
		return FLOW_READ_FAILED;
	if (step == STEP_WRITE_FAILED)
		return FLOW_WRITE_FAILED;
	pass_on_end(f, to->io.fd);
	return FLOW_FINE;
}
