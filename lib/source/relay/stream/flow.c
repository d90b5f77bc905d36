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
#include "source/relay/stream/stream.h"

#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS = 8 };

/* ---- holding --------------------------------------------------------------------------------- */

/* So many bytes more went on from this end. */
static void count(struct end *from, size_t n)
{
	end_pair(from)->relayed.bytes[from->is_target] += n;
}

int flow_hold(struct end *from, const char *bytes, size_t length)
{
	struct left *left = length ? malloc(sizeof *left + length) : NULL;

	if (length && !left)
		return -1;
	if (left) {
		memcpy(left->bytes, bytes, length);
		left->length = (uint32_t)length;
		left->sent = 0;
	}
	free(from->left);
	from->left = left;
	return 0;
}

static void give_back(struct end *from)
{
	pipes_give_back(&pair_streams(end_pair(from))->pipes, from->pipe);
	from->pipe = NULL;
}

void flow_close(struct end *from)
{
	free(from->left);
	from->left = NULL;
	give_back(from);
}

/* Sends what is held. */
static enum step send_left(struct end *from, int to)
{
	struct left *left = from->left;
	ssize_t n = socket_send(to, left->bytes + left->sent, left->length - left->sent);

	if (n < 0)
		return STEP_WRITE_FAILED;
	left->sent += (uint32_t)n;
	count(from, (size_t)n);
	if (left->sent < left->length)
		return STEP_BLOCKED;
	free(left);
	from->left = NULL;
	return STEP_MOVED;
}

/* ---- copying --------------------------------------------------------------------------------- */

/* Nothing is left to be read, as far as a read can tell. */
static void drain(struct end *from)
{
	from->state = from->tcp ? FLOW_DRAINED : FLOW_LEVEL;
}

/* Reads at most `most` (a buffer) and sends it; *full: there is more where it came from. */
static enum step copy(struct end *from, int to, size_t most, bool *full)
{
	struct pair *p = end_pair(from);
	char *buffer = pair_streams(p)->buffer;
	ssize_t n = recv(from->io.fd, buffer, most, MSG_DONTWAIT), sent;

	*full = n == (ssize_t)most;
	if (n < 0 && errno != EAGAIN)
		return errno == EINTR ? STEP_MOVED : STEP_READ_FAILED;
	if (n < 0)
		drain(from);
	if (n == 0)
		from->state = FLOW_ENDED;
	if (n <= 0)
		return STEP_DRY;
	relayed_account(&p->relayed, from->is_target, buffer, (size_t)n);
	sent = socket_send(to, buffer, (size_t)n);
	if (sent < 0)
		return STEP_WRITE_FAILED;
	count(from, (size_t)sent);
	if (sent < n)
		return flow_hold(from, buffer + sent, (size_t)(n - sent)) < 0 ? STEP_WRITE_FAILED
									      : STEP_BLOCKED;
	if (*full || from->state == FLOW_ENDING)
		return STEP_MOVED;
	drain(from); /* a short read: there is no more for now */
	return STEP_DRY;
}

/* ---- splicing -------------------------------------------------------------------------------- */

/* False: none is to be had; copying does as well. */
static bool has_pipe(struct end *from)
{
	if (!from->pipe)
		from->pipe = pipes_lend(&pair_streams(end_pair(from))->pipes);
	return from->pipe;
}

static enum step pipe_empty(struct end *from, int to)
{
	struct pipe *pipe = from->pipe;

	while (pipe->held) {
		ssize_t n = splice(pipe->read_end, NULL, to, NULL, pipe->held,
				   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

		if (n < 0 && errno == EAGAIN)
			return STEP_BLOCKED;
		if (n < 0 && errno != EINTR)
			return STEP_WRITE_FAILED;
		if (n > 0) {
			pipe->held -= (size_t)n;
			count(from, (size_t)n);
		}
	}
	return STEP_MOVED;
}

static enum step splice_some(struct end *from, int to)
{
	ssize_t n = splice(from->io.fd, NULL, from->pipe->write_end, NULL, PIPE_SIZE,
			   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return STEP_READ_FAILED;
	if (n <= 0) {
		from->state = n < 0 ? FLOW_LEVEL : FLOW_ENDED;
		return STEP_DRY;
	}
	from->pipe->held += (size_t)n;
	return pipe_empty(from, to);
}

/* ---- a flow ---------------------------------------------------------------------------------- */

/* What was held goes first. */
static enum step send_held(struct end *from, int to)
{
	if (from->left)
		return send_left(from, to);
	return from->pipe ? pipe_empty(from, to) : STEP_MOVED;
}

static enum step move(struct end *from, int to)
{
	struct relayed *c = &end_pair(from)->relayed;
	uint64_t before = c->bytes[from->is_target];
	enum step step = send_held(from, to);
	bool full = from->pipe || from->burst >= BUFFER;
	bool watched = c->limits || c->source->dump.source;

	if (from->state == FLOW_DRAINED)
		from->state = FLOW_LEVEL;
	/* A few rounds: the other connections want their turn, and the level stays. */
	for (int i = 0; i < ROUNDS && step == STEP_MOVED && from->state < FLOW_ENDED; i++) {
		uint64_t most = relayed_allows(c, from->is_target);

		if (!most)
			return STEP_DRY;
		if (full && !watched && has_pipe(from))
			step = splice_some(from, to);
		else
			step = copy(from, to, most < BUFFER ? (size_t)most : BUFFER, &full);
	}
	if (step == STEP_DRY)
		give_back(from);
	from->burst = c->bytes[from->is_target] - before >= BUFFER ? BUFFER : 0;
	return step;
}

enum step flow_run(struct end *from)
{
	struct end *to = end_other(from);
	enum step step = STEP_DRY;

	if (from->state != FLOW_SHUT)
		step = move(from, to->io.fd);
	/* A FIN is passed on when everything before it is; the second one by close(2). */
	if (step < STEP_READ_FAILED && from->state == FLOW_ENDED && !flow_is_blocked(from)) {
		if (to->state != FLOW_SHUT)
			shutdown(to->io.fd, SHUT_WR);
		from->state = FLOW_SHUT;
	}
	return step;
}
