/* lib/reactor: what a watcher of a descriptor is told, and when. */
#include "reactor_suite.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>

/* ---- level, edge, once ----------------------------------------------------------------------- */

static void test_level(void)
{
	struct reactor *r = reactor_here();
	struct probe p;
	int fds[2];

	pipe_open(fds);
	probe_start(r, &p, fds[0], IO_READ);
	EQUAL(io_start(r, &p.io), 0, "starting twice is starting once");
	turns(r, 2);
	EQUAL(p.calls, 0, "an empty pipe is not ready");
	put(fds[1], "ab");
	turns(r, 3);
	EQUAL(p.calls, 3, "a level is told in every turn");
	EQUAL(p.last, IO_READ, "as readable");
	take(fds[0], 1);
	turns(r, 1);
	EQUAL(p.calls, 4, "a reader that leaves bytes is told again");
	take(fds[0], 1);
	turns(r, 2);
	EQUAL(p.calls, 4, "an emptied pipe is not ready");
	io_stop(r, &p.io);
	put(fds[1], "c");
	turns(r, 2);
	EQUAL(p.calls, 4, "a stopped watcher is not called");
	reactor_free(r);
	close_both(fds);
}

/* poll and select cannot report changes only: that is said at once. */
static void refuse_edges(struct reactor *r, int fd)
{
	struct probe p = probe_of(fd, IO_READ | IO_EDGE);

	errno = 0;
	HOLDS(io_start(r, &p.io) == -1 && errno == ENOTSUP && !p.io.started,
	      "a backend without edges refuses them");
	io_change(r, &p.io, IO_READ);
	EQUAL(io_start(r, &p.io), 0, "and takes levels");
	io_stop(r, &p.io);
}

static void test_edge(void)
{
	struct reactor *r = reactor_here();
	struct probe edge, level;
	int fds[2];

	stream_open(fds);
	if (!reactor_has_edges(r)) {
		refuse_edges(r, fds[0]);
		reactor_free(r);
		close_both(fds);
		return;
	}
	probe_start(r, &edge, fds[0], IO_READ | IO_URGENT | IO_EDGE);
	turns(r, 1);
	put(fds[1], "a");
	turns(r, 3);
	EQUAL(edge.calls, 1, "an edge is told once");
	edge.calls = 0;
	put(fds[1], "b");
	turns(r, 1);
	EQUAL(edge.calls, 1, "and told again when more comes, though nothing was read");
	probe_start(r, &level, fds[0], IO_READ);
	turns(r, 3);
	EQUAL(level.calls, 3, "one that wants levels beside it gets levels");
	io_stop(r, &level.io);
	turns(r, 1);
	edge.calls = 0;
	put(fds[1], "c");
	turns(r, 3);
	EQUAL(edge.calls, 1, "without it, edges are edges again");
	HOLDS(!(edge.all & IO_URGENT), "no data was told as urgent");
	reactor_free(r);
	close_both(fds);
}

static void start_again(struct reactor *r, struct probe *p)
{
	io_stop(r, &p->io);
	if (p->calls < 3)
		io_start(r, &p->io);
}

static void test_once(void)
{
	struct reactor *r = reactor_here();
	struct probe once;
	int fds[2];

	stream_open(fds);
	probe_start(r, &once, fds[0], IO_WRITE);
	once.act = stop_own;
	turns(r, 3);
	EQUAL(once.calls, 1, "stopped in its own callback, it is not called again");
	once.calls = 0;
	once.act = start_again;
	io_start(r, &once.io);
	turns(r, 1);
	EQUAL(once.calls, 1, "started in its own callback, it is not called again in this turn");
	turns(r, 5);
	EQUAL(once.calls, 3, "but in the next ones, once a start");
	reactor_free(r);
	close_both(fds);
}

/* ---- interest -------------------------------------------------------------------------------- */

static void test_interest(void)
{
	struct reactor *r = reactor_here();
	struct probe p;
	int fds[2];

	stream_open(fds);
	probe_start(r, &p, fds[0], IO_READ);
	turns(r, 2);
	EQUAL(p.calls, 0, "a watcher hears only what it asked for");
	io_change(r, &p.io, IO_READ | IO_URGENT);
	turns(r, 3);
	EQUAL(p.calls, 0, "while nothing is ready a changed interest tells nothing, nor an error");
	io_change(r, &p.io, IO_WRITE);
	turns(r, 1);
	EQUAL(p.last, IO_WRITE, "a changed interest holds from the next turn");
	put(fds[1], "x");
	io_change(r, &p.io, IO_READ | IO_WRITE);
	turns(r, 1);
	EQUAL(p.last, IO_READ | IO_WRITE, "both are told in one call");
	io_change(r, &p.io, IO_WRITE);
	io_change(r, &p.io, IO_READ);
	turns(r, 1);
	EQUAL(p.last, IO_READ, "the last of several changes holds");
	io_change(r, &p.io, 0);
	p.calls = 0;
	turns(r, 2);
	EQUAL(p.calls, 0, "no interest, no call");
	io_stop(r, &p.io);
	io_change(r, &p.io, IO_READ);
	turns(r, 1);
	EQUAL(p.calls, 0, "a change does not start a stopped one");
	io_start(r, &p.io);
	turns(r, 1);
	EQUAL(p.calls, 1, "and holds when it is started");
	reactor_free(r);
	close_both(fds);
}

/* A reader that pauses while bytes wait: select(2) knows no other way to wait for a hang-up. */
static void pause_for(int turns_taken)
{
	struct reactor *r = reactor_here();
	struct probe p;
	int fds[2];

	stream_open(fds);
	put(fds[1], "x");
	probe_start(r, &p, fds[0], IO_READ);
	turns(r, 1);
	io_change(r, &p.io, 0);
	p.calls = 0;
	HOLDS(turns_within(r, 60000000) < 20, "bytes that nobody asks for do not wake the loop");
	EQUAL(p.calls, 0, "nor the watcher");
	io_change(r, &p.io, IO_HALF_CLOSE);
	HOLDS(turns_within(r, 60000000) < 20, "nor those that wait for a half-close alone");
	io_change(r, &p.io, 0);
	turns(r, turns_taken);
	close(fds[1]);
	while (!p.calls)
		reactor_turn(r, -1); /* hangs when it is not waited for */
	HOLDS(p.last & IO_HANGUP, "a hang-up is told without any interest");
	reactor_free(r);
	close(fds[0]);
}

/* Select waits for it in every other turn. */
static void test_paused(void)
{
	pause_for(1);
	pause_for(2);
}

static void test_shared(void)
{
	struct reactor *r = reactor_here();
	struct probe reader, writer, once;
	int fds[2];

	stream_open(fds);
	probe_start(r, &reader, fds[0], IO_READ);
	probe_start(r, &writer, fds[0], IO_WRITE);
	probe_start(r, &once, fds[0], IO_READ | IO_WRITE);
	once.act = stop_own;
	turns(r, 2);
	EQUAL(reader.calls, 0, "of three on one descriptor the reader hears nothing of room");
	EQUAL(writer.calls, 2, "the writer does");
	EQUAL(once.calls, 1, "the third, once, does not stop it");
	put(fds[1], "x");
	turns(r, 2);
	EQUAL(reader.last, IO_READ, "bytes are told to the reader");
	EQUAL(writer.all, IO_WRITE, "and not to the writer");
	io_stop(r, &writer.io);
	writer.calls = reader.calls = 0;
	turns(r, 2);
	HOLDS(writer.calls == 0 && reader.calls == 2, "one goes on when the other is stopped");
	reactor_free(r);
	close_both(fds);
}

/* ---- ends and errors ------------------------------------------------------------------------- */

static void test_hangup(void)
{
	struct reactor *r = reactor_here();
	struct probe reader, writer, idle;
	int a[2], b[2];

	pipe_open(a);
	pipe_open(b);
	probe_start(r, &reader, a[0], IO_READ);
	probe_start(r, &idle, a[0], 0);
	probe_start(r, &writer, b[1], IO_WRITE);
	turns(r, 2);
	EQUAL(writer.last, IO_WRITE, "an empty pipe is ready to be written");
	put(a[1], "x");
	close(a[1]);
	close(b[0]);
	turns(r, 2);
	EQUAL(reader.last, IO_READ | IO_HANGUP, "the writer's end is a hang-up, and readable");
	EQUAL(idle.last, IO_HANGUP, "a watcher without an interest is told the hang-up alone");
	EQUAL(writer.last, IO_WRITE | IO_ERROR, "the reader's end is an error, and writable");
	take(a[0], 1);
	reader.calls = 0;
	turns(r, 3);
	EQUAL(reader.calls, 3, "a hang-up is a level too");
	EQUAL(reader.last, IO_READ | IO_HANGUP, "and readable though no byte is left");
	reactor_free(r);
	close(a[0]);
	close(b[1]);
}

static void test_half_close(void)
{
	struct reactor *r = reactor_here();
	struct probe asks, does_not, writer;
	int fds[2];

	stream_open(fds);
	probe_start(r, &asks, fds[0], IO_READ | IO_HALF_CLOSE);
	probe_start(r, &does_not, fds[0], IO_READ);
	put(fds[1], "x");
	shutdown(fds[1], SHUT_WR);
	turns(r, 2);
	EQUAL(asks.last, IO_READ | IO_HALF_CLOSE, "the peer's FIN is a half-close");
	EQUAL(does_not.all, IO_READ, "which is told only to who asked for it");
	probe_start(r, &writer, fds[0], IO_WRITE);
	turns(r, 1);
	EQUAL(writer.last, IO_WRITE, "and leaves the other direction open");
	close(fds[1]);
	turns(r, 2);
	HOLDS(asks.last & IO_HANGUP && writer.last & IO_HANGUP, "both closed is a hang-up");
	reactor_free(r);
	close(fds[0]);
	r = reactor_here();
	stream_open(fds);
	probe_start(r, &asks, fds[0], IO_URGENT | IO_HALF_CLOSE);
	shutdown(fds[1], SHUT_WR);
	wait_for(r, &asks, IO_HALF_CLOSE);
	EQUAL(asks.last, IO_HALF_CLOSE, "it is told beside priority data, too");
	reactor_free(r);
	close_both(fds);
}

/* Two ends of a TCP connection over loopback. */
static void tcp_open(int fds[2])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &length) < 0 ||
	    connect(fds[0], (struct sockaddr *)&at, sizeof at) < 0)
		bail_out("tcp");
	fds[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void test_error(void)
{
	struct linger at_once = {1, 0};
	struct reactor *r = reactor_here();
	struct probe p, idle;
	int fds[2];

	tcp_open(fds);
	probe_start(r, &p, fds[0], IO_READ);
	probe_start(r, &idle, fds[0], 0);
	setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(fds[1]);
	wait_for(r, &p, IO_ERROR);
	EQUAL(p.last, IO_READ | IO_ERROR | IO_HANGUP, "a reset is an error, and readable");
	HOLDS(idle.last & IO_ERROR, "and is told without any interest");
	reactor_free(r);
	close(fds[0]);
}

static void test_refused_connection(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof at;
	struct reactor *r = reactor_here();
	int bound = socket(AF_INET, SOCK_STREAM, 0), /* not listening: its port refuses */
	    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct probe p;

	if (bind(bound, (struct sockaddr *)&at, sizeof at) < 0 ||
	    getsockname(bound, (struct sockaddr *)&at, &length) < 0)
		bail_out("bind");
	connect(fd, (struct sockaddr *)&at, sizeof at);
	probe_start(r, &p, fd, IO_WRITE);
	wait_for(r, &p, IO_WRITE);
	HOLDS(p.last & IO_WRITE && p.last & IO_ERROR, "a refused connection is a writable error");
	reactor_free(r);
	close(fd);
	close(bound);
}

static void test_urgent(void)
{
	struct reactor *r = reactor_here();
	struct probe urgent, reader;
	int fds[2];
	char byte;

	tcp_open(fds);
	probe_start(r, &urgent, fds[0], IO_URGENT);
	probe_start(r, &reader, fds[0], IO_READ);
	if (send(fds[1], "!", 1, MSG_OOB) != 1)
		bail_out("send");
	wait_for(r, &urgent, IO_URGENT);
	EQUAL(urgent.last, IO_URGENT, "priority data is urgent");
	EQUAL(reader.calls, 0, "and nothing to read for one that did not ask for it");
	io_change(r, &urgent.io, 0);
	HOLDS(turns_within(r, 30000000) < 20, "nor does it wake a loop that nobody asked for it");
	io_change(r, &urgent.io, IO_URGENT);
	HOLDS(recv(fds[0], &byte, 1, MSG_OOB) == 1 && byte == '!', "it can be read");
	turns(r, 1);
	urgent.calls = 0;
	turns(r, 2);
	EQUAL(urgent.calls, 0, "and is told no more then");
	reactor_free(r);
	close_both(fds);
}

/* Can always be read; a change is told as urgent, by select(2) once and to nobody else then. */
static void test_changed_file(void)
{
	struct reactor *r;
	struct probe p;

	if (unshare(CLONE_NEWUTS) < 0) {
		SKIP(strerror(errno), "%s: a file of proc(5) that changes", backend);
		return;
	}
	r = reactor_here();
	probe_start(r, &p, open("/proc/sys/kernel/hostname", O_RDONLY), IO_READ | IO_URGENT);
	turns(r, 2);
	EQUAL(p.all, IO_READ, "a file of proc(5) can be read");
	if (sethostname("changed", 7) < 0)
		bail_out("sethostname");
	wait_for(r, &p, IO_URGENT);
	HOLDS(p.last & IO_READ && p.last & IO_URGENT, "that it changed is told beside it");
	io_change(r, &p.io, IO_URGENT);
	HOLDS(turns_within(r, 60000000) <= 3, "who waits for changes alone sleeps");
	io_stop_close(r, &p.io);
	reactor_free(r);
}

static int renewed[2];

/* A pipe takes the number that was closed, and the watcher that heard of it goes on. */
static void renew(struct reactor *r, struct probe *p)
{
	p->act = NULL;
	pipe_open(renewed);
	if (dup2(renewed[0], p->io.fd) < 0 || io_start(r, &p->io) < 0)
		bail_out("renew");
}

static void test_closed_and_renewed(void)
{
	struct reactor *r;
	struct probe p, other;
	int fds[2], quiet[2];

	if (!backend_is("poll") && !backend_is("select"))
		return; /* the others do not hear that a descriptor is closed */
	r = reactor_here();
	pipe_open(fds);
	stream_open(quiet);
	probe_start(r, &p, fds[0], IO_READ);
	probe_start(r, &other, quiet[0], IO_READ | IO_URGENT);
	p.act = renew;
	turns(r, 1);
	close(fds[0]);
	turns(r, 2);
	EQUAL(other.calls, 0, "nothing is told of another");
	HOLDS(p.calls == 1 && p.last & IO_ERROR, "a descriptor that is closed while it is watched");
	put(renewed[1], "x");
	turns(r, 1);
	EQUAL(p.last, IO_READ, "is watched again at once when it is started in the callback");
	reactor_free(r);
	close_both(renewed);
	close_both(quiet);
	close_both(fds);
}

/* Who waits for a reset alone is not woken, over and over, by a half-close. */
static void test_half_close_unasked(void)
{
	struct reactor *r = reactor_here();
	struct probe p;
	int fds[2];
	int64_t begin;
	int waits = 0;

	stream_open(fds);
	probe_start(r, &p, fds[0], IO_HANGUP);
	shutdown(fds[1], SHUT_WR);
	turns(r, 3);
	begin = clock_read(CLOCK_OF_LOOP);
	for (; clock_read(CLOCK_OF_LOOP) - begin < 100000000; waits++)
		reactor_turn(r, 30000000);
	HOLDS(waits < 50, "a half-close that nobody asked for ends no wait"); /* select naps */
	EQUAL(p.calls, 0, "and is not told");
	io_stop(r, &p.io);
	reactor_free(r);
	close_both(fds);
}

static const struct conformance cases[] = {
    {"a half-close unasked", test_half_close_unasked},
    {"level", test_level},
    {"edge", test_edge},
    {"once", test_once},
    {"interest", test_interest},
    {"paused", test_paused},
    {"shared descriptor", test_shared},
    {"hang-up", test_hangup},
    {"half-close", test_half_close},
    {"error", test_error},
    {"refused connection", test_refused_connection},
    {"priority data", test_urgent},
    {"changed file", test_changed_file},
    {"closed and renewed", test_closed_and_renewed},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
