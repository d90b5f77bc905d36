/*
 * One direction of a relayed connection.
 *
 * Small messages are copied through a buffer that all flows share: they cost two system calls and
 * no memory. When the buffer came full there is more behind it, and the flow goes on by splice(2)
 * through a pipe from a pool, without copying, until the source runs dry. If that was a buffer's
 * worth, it begins so the next time: of 64 streams that take turns, most have little more. What the
 * destination does not take is held (at most a buffer or a pipe), and reading stops until it is
 * gone. With --rate or --dump everything is copied: pieces are small, or are to be looked at.
 */
#include "source/relay/stream/flow.h"

#include "address/proxy_header.h"
#include "net/socket.h"
#include "source/relay/seeker.h"

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
static bool pipe_take(struct streams *t, struct flow *f)
{
	int fds[2];

	if (t->n_pipes > 0) {
		f->pipe = t->pipes[--t->n_pipes];
		return true;
	}
	f->pipe = malloc(sizeof *f->pipe);
	if (!f->pipe)
		return false;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(f->pipe);
		f->pipe = NULL;
		return false;
	}
	/* Unprivileged users may not have as much: the size it has then does. */
	fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);
	*f->pipe = (struct pipe){fds[0], fds[1], 0};
	return true;
}

static void pipe_drop(struct pipe *p)
{
	close(p->read_end);
	close(p->write_end);
	free(p);
}

static void pipe_give_back(struct streams *t, struct flow *f)
{
	/* One with bytes in it is of no use to another flow. */
	if (f->pipe->held || t->n_pipes == PIPES_KEPT)
		pipe_drop(f->pipe);
	else
		t->pipes[t->n_pipes++] = f->pipe;
	f->pipe = NULL;
}

void pipes_close(struct streams *t)
{
	while (t->n_pipes > 0)
		pipe_drop(t->pipes[--t->n_pipes]);
}

void flow_close(struct streams *t, struct flow *f)
{
	free(f->left);
	f->left = NULL;
	if (f->pipe)
		pipe_give_back(t, f);
}

/* ---- holding --------------------------------------------------------------------------------- */

int flow_hold(struct flow *f, const char *bytes, size_t length)
{
	struct left *left = length ? malloc(sizeof *left + length) : NULL;

	if (length && !left)
		return -1;
	if (left) {
		memcpy(left->bytes, bytes, length);
		left->length = (uint32_t)length;
		left->sent = 0;
	}
	free(f->left);
	f->left = left;
	return 0;
}

/* Sends what is held. */
static enum step send_left(struct flow *f, int to)
{
	struct left *left = f->left;
	ssize_t n = socket_send(to, left->bytes + left->sent, left->length - left->sent);

	if (n < 0)
		return STEP_WRITE_FAILED;
	left->sent += (uint32_t)n;
	f->bytes += (uint64_t)n;
	if (left->sent < left->length)
		return STEP_BLOCKED;
	free(left);
	f->left = NULL;
	return STEP_MOVED;
}

/* ---- --rate and --dump ----------------------------------------------------------------------- */

struct address pair_remote(const struct pair *p)
{
	struct address a = {.length = p->remote_length};

	if (p->header)
		return p->header->source;
	memcpy(&a.storage, p->remote, p->remote_length);
	return a;
}

struct carried pair_carried(const struct pair *p)
{
	return (struct carried){
	    .remote = pair_remote(p),
	    .number = p->number,
	    .target = p->seeker ? seeker_target(p->seeker) : p->target,
	    .to = p->ends[CLIENT].flow.bytes,
	    .from = p->ends[TARGET].flow.bytes,
	    .started = p->started,
	};
}

static struct bucket *bucket_of(const struct pair *p, const struct end *from)
{
	return &p->limits->buckets[from->is_target];
}

static int64_t now(const struct pair *p)
{
	return reactor_now(pair_reactor(p), CLOCK_OF_LOOP);
}

/* How much may be read from this end now. */
static size_t allowed(const struct pair *p, const struct end *from)
{
	uint64_t n = BUFFER;

	if (p->limits)
		n = bucket_allows(bucket_of(p, from), pair_config(p)->rate, now(p));
	return n < BUFFER ? (size_t)n : BUFFER;
}

int64_t flow_wait(const struct pair *p, const struct end *from)
{
	return p->limits ? bucket_wait(bucket_of(p, from), pair_config(p)->rate, now(p)) : 0;
}

void flow_account(struct pair *p, const struct end *from, const void *bytes, size_t length)
{
	struct dump *dump = &p->owner->source->dump;

	if (p->limits)
		bucket_take(bucket_of(p, from), pair_config(p)->rate, now(p), length);
	if (dump->source) {
		struct carried carried = pair_carried(p);

		dump_add(dump, &carried, from->is_target, bytes, length);
	}
}

/* ---- copying --------------------------------------------------------------------------------- */

/* Nothing is left to be read, as far as a read can tell. */
static void drain(struct end *from)
{
	from->flow.state = from->tcp ? FLOW_DRAINED : FLOW_LEVEL;
}

/* Reads at most `most` (a buffer) and sends it; *full: there is more where it came from. */
static enum step copy(struct pair *p, struct end *from, int to, size_t most, bool *full)
{
	char *buffer = p->owner->buffer;
	struct flow *f = &from->flow;
	ssize_t n = recv(from->io.fd, buffer, most, MSG_DONTWAIT), sent;

	*full = n == (ssize_t)most;
	if (n < 0 && errno != EAGAIN)
		return errno == EINTR ? STEP_MOVED : STEP_READ_FAILED;
	if (n < 0)
		drain(from);
	if (n == 0)
		f->state = FLOW_ENDED;
	if (n <= 0)
		return STEP_DRY;
	flow_account(p, from, buffer, (size_t)n);
	sent = socket_send(to, buffer, (size_t)n);
	if (sent < 0)
		return STEP_WRITE_FAILED;
	f->bytes += (uint64_t)sent;
	if (sent < n)
		return flow_hold(f, buffer + sent, (size_t)(n - sent)) < 0 ? STEP_WRITE_FAILED
									   : STEP_BLOCKED;
	if (*full || f->state == FLOW_ENDING)
		return STEP_MOVED;
	drain(from); /* a short read: there is no more for now */
	return STEP_DRY;
}

/* ---- splicing -------------------------------------------------------------------------------- */

static enum step pipe_empty(struct flow *f, int to)
{
	while (f->pipe->held) {
		ssize_t n = splice(f->pipe->read_end, NULL, to, NULL, f->pipe->held,
				   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

		if (n < 0 && errno == EAGAIN)
			return STEP_BLOCKED;
		if (n < 0 && errno != EINTR)
			return STEP_WRITE_FAILED;
		if (n > 0) {
			f->pipe->held -= (size_t)n;
			f->bytes += (uint64_t)n;
		}
	}
	return STEP_MOVED;
}

static enum step splice_some(struct flow *f, int from, int to)
{
	ssize_t n = splice(from, NULL, f->pipe->write_end, NULL, PIPE_SIZE,
			   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return STEP_READ_FAILED;
	if (n <= 0) {
		f->state = n < 0 ? FLOW_LEVEL : FLOW_ENDED;
		return STEP_DRY;
	}
	f->pipe->held += (size_t)n;
	return pipe_empty(f, to);
}

/* ---- a flow ---------------------------------------------------------------------------------- */

/* What was held goes first. */
static enum step send_held(struct flow *f, int to)
{
	if (f->left)
		return send_left(f, to);
	if (f->pipe)
		return pipe_empty(f, to);
	return STEP_MOVED;
}

static enum step move(struct pair *p, struct end *from, int to)
{
	struct streams *t = p->owner;
	struct flow *f = &from->flow;
	uint64_t before = f->bytes;
	enum step step = send_held(f, to);
	bool full = f->pipe || f->burst >= BUFFER;
	bool watched = p->limits || t->source->dump.source;

	if (f->state == FLOW_DRAINED)
		f->state = FLOW_LEVEL;
	/* A few rounds: the other connections want their turn, and the level stays. */
	for (int i = 0; i < ROUNDS && step == STEP_MOVED && !flow_has_ended(f); i++) {
		size_t most = allowed(p, from);

		if (!most)
			return STEP_DRY;
		if (full && !watched && (f->pipe || pipe_take(t, f)))
			step = splice_some(f, from->io.fd, to);
		else
			step = copy(p, from, to, most, &full);
	}
	if (step == STEP_DRY && f->pipe)
		pipe_give_back(t, f);
	f->burst = f->bytes - before >= BUFFER ? BUFFER : 0;
	return step;
}

/* A FIN is passed on when everything before it is; the second one by close(2). */
static void pass_on_end(struct flow *f, const struct end *to)
{
	if (f->state != FLOW_ENDED || flow_is_blocked(f))
		return;
	if (to->flow.state != FLOW_SHUT)
		shutdown(to->io.fd, SHUT_WR);
	f->state = FLOW_SHUT;
}

enum flow_result flow_run(struct pair *p, struct end *from)
{
	struct flow *f = &from->flow;
	struct end *to = end_other(p, from);
	enum step step;

	if (f->state == FLOW_SHUT)
		return FLOW_FINE;
	step = move(p, from, to->io.fd);
	if (step == STEP_READ_FAILED)
		return FLOW_READ_FAILED;
	if (step == STEP_WRITE_FAILED)
		return FLOW_WRITE_FAILED;
	pass_on_end(f, to);
	return FLOW_FINE;
}
