/* lib/reactor: which kinds of files can be watched. */
#include "reactor_suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static void test_always_ready(void)
{
	struct reactor *r = reactor_here();
	struct probe file, null, once;
	int fds[2];

	probe_start(r, &file, open("/proc/self/exe", O_RDONLY), IO_READ);
	probe_start(r, &null, open("/dev/null", O_RDWR), IO_READ | IO_WRITE);
	probe_start(r, &once, open("/proc/self/exe", O_RDONLY), IO_READ);
	once.act = stop_own;
	turns(r, 3);
	HOLDS(file.calls == 3 && file.last == IO_READ, "a regular file is always ready");
	HOLDS(null.calls == 3 && null.last == (IO_READ | IO_WRITE), "so is /dev/null");
	EQUAL(once.calls, 1, "but not one that stopped in its callback");
	io_change(r, &file.io, IO_WRITE);
	turns(r, 1);
	EQUAL(file.last, IO_WRITE, "its interest can be changed");
	io_change(r, &file.io, 0);
	io_stop(r, &null.io);
	file.calls = null.calls = 0;
	turns(r, 2);
	HOLDS(turns_within(r, 30000000) < 20, "without interest it does not keep the loop awake");
	EQUAL(file.calls + null.calls, 0, "without interest, or stopped, it is not told");
	pipe_open(fds);
	io_stop(r, &file.io);
	HOLDS(dup2(fds[0], file.io.fd) == file.io.fd, "a pipe takes its number");
	probe_start(r, &file, file.io.fd, IO_READ);
	turns(r, 2);
	EQUAL(file.calls, 0, "and is not always ready");
	put(fds[1], "x");
	turns(r, 1);
	EQUAL(file.calls, 1, "but when it is");
	reactor_free(r);
	close(file.io.fd);
	close(null.io.fd);
	close(once.io.fd);
	close_both(fds);
}

/* A backend that is made anew finds it once, not once more each time. */
static void test_always_ready_rebuilt(void)
{
	struct reactor *r = reactor_here();
	struct probe file;

	probe_start(r, &file, open("/proc/self/exe", O_RDONLY), IO_READ);
	for (int i = 0; i < 3; i++) {
		turns(r, 1);
		reactor_reinit(r);
	}
	turns(r, 1);
	EQUAL(file.calls, 4, "a regular file is told by a backend that was made anew");
	io_stop(r, &file.io);
	turns(r, 1);
	file.calls = 0;
	HOLDS(turns_within(r, 30000000) < 20, "and keeps no loop awake once it is stopped");
	EQUAL(file.calls, 0, "nor is it told");
	reactor_free(r);
	close(file.io.fd);
}

/* While a regular file keeps the loop awake, the others are served as well. */
static void test_beside_always_ready(void)
{
	struct reactor *r = reactor_here();
	struct probe file, p;
	int fds[2];

	pipe_open(fds);
	put(fds[1], "x");
	probe_start(r, &file, open("/proc/self/exe", O_RDONLY), IO_READ);
	probe_start(r, &p, fds[0], IO_READ);
	turns(r, 3);
	HOLDS(file.calls == 3 && p.calls == 3, "a regular file and a pipe are served in turn");
	reactor_free(r);
	close(file.io.fd);
	close_both(fds);
}

static void test_tty(void)
{
	struct reactor *r = reactor_here();
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	struct probe outside, inside;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		bail_out("posix_openpt");
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	probe_start(r, &outside, master, IO_READ);
	probe_start(r, &inside, slave, IO_READ);
	turns(r, 2);
	EQUAL(inside.calls + outside.calls, 0, "an idle terminal is not ready");
	put(master, "half a line");
	turns(r, 2);
	EQUAL(inside.calls, 0, "nor is one with half a line");
	put(master, "\n");
	wait_for(r, &inside, IO_READ); /* the kernel hands it on in a thread of its own */
	wait_for(r, &outside, IO_READ);
	EQUAL(inside.last, IO_READ, "a line is readable");
	EQUAL(outside.last, IO_READ, "and its echo on the other side");
	io_stop(r, &inside.io);
	turns(r, 1);
	close(slave);
	wait_for(r, &outside, IO_HANGUP);
	HOLDS(outside.last & IO_HANGUP, "closing the terminal is a hang-up");
	reactor_free(r);
	close(master);
}

static void test_fifo(void)
{
	char folder[] = "/tmp/reactor.XXXXXX", path[64];
	struct reactor *r = reactor_here();
	struct probe p;
	int reader, writer;

	if (!mkdtemp(folder))
		bail_out("mkdtemp");
	snprintf(path, sizeof path, "%s/fifo", folder);
	if (mkfifo(path, 0600) < 0)
		bail_out("mkfifo");
	reader = open(path, O_RDONLY | O_NONBLOCK);
	probe_start(r, &p, reader, IO_READ);
	turns(r, 2);
	EQUAL(p.calls, 0, "a FIFO that had no writer yet is not ready");
	writer = open(path, O_WRONLY);
	put(writer, "x");
	turns(r, 1);
	EQUAL(p.last, IO_READ, "a writer's bytes are readable");
	take(reader, 1);
	close(writer);
	turns(r, 2);
	HOLDS(p.last & IO_HANGUP, "when the last writer goes it is a hang-up");
	writer = open(path, O_WRONLY);
	turns(r, 1);
	p.calls = 0;
	turns(r, 2);
	EQUAL(p.calls, 0, "which ends when another comes");
	reactor_free(r);
	close(reader);
	close(writer);
	unlink(path);
	rmdir(folder);
}

static const struct conformance cases[] = {
    {"regular files", test_always_ready},
    {"regular files after a rebuild", test_always_ready_rebuilt},
    {"beside regular files", test_beside_always_ready},
    {"terminals", test_tty},
    {"FIFOs", test_fifo},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
