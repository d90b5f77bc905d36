/*
 * Two relays that are nearly alike, side by side: their difference, not how busy the machine was.
 *
 * usage: paired echo|open|bulk N PAIRS TARGET PORT CPU-FILE PORT CPU-FILE
 *
 * The relays at the two ports lead to 127.0.0.1:TARGET, where a child of this program sends back
 * what comes (`bulk`: counts it). They work by turns, in slices of 20 ms (`open`: 100) that follow
 * one another: `echo` has N connections to each with one small message in flight, `open` connects N
 * at once for one round trip. `bulk` has N streams to each that are sent what they take; there a
 * slice is 25 ms, after 10 in which buffers fill, and counts bytes that arrived. Between slices
 * all comes to rest, so that a relay's CPU time (its cgroup's) is its slice's.
 *
 * Prints a line a pair of slices: of each relay COUNT SECONDS CPU-NS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 64, MOST = 1000, EVENTS = 256, WARM_PAIRS = 5 };
enum { CHUNK = 128 * 1024, READ = 256 * 1024 }; /* bulk */
enum work { ECHO, OPEN, BULK, WORKS };

static const char *const works[WORKS] = {"echo", "open", "bulk"};

/* ns */
static const int64_t slice_of[WORKS] = {20000000, 100000000, 25000000};

#define LEAD 10000000
#define REST 300000

struct side {
	int port, loop;
	const char *cpu_file;
	int under_way;
	uint64_t count;
};

static char message[MESSAGE], chunk[READ];
static enum work work;
static uint64_t sent, *arrived; /* bytes of `bulk`; shared with the server */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t cpu_of(const struct side *s)
{
	char line[100];
	unsigned long long n = 0;
	FILE *f = fopen(s->cpu_file, "r");

	if (!f || !fgets(line, sizeof line, f))
		die(s->cpu_file);
	if (sscanf(line, "usage_usec %llu", &n) == 1)
		n *= 1000;
	else
		n = strtoull(line, NULL, 10);
	fclose(f);
	return (int64_t)n;
}

static void watch(int loop, int fd, unsigned events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	return fd;
}

/* ---- the server ------------------------------------------------------------------------------ */

static void answer(int fd)
{
	ssize_t n = recv(fd, chunk, sizeof chunk, 0);

	if (n > 0 && work == BULK)
		__atomic_fetch_add(arrived, (uint64_t)n, __ATOMIC_RELAXED);
	else if (n > 0)
		send(fd, chunk, (size_t)n, MSG_NOSIGNAL);
	else if (n == 0 || errno != EAGAIN)
		close(fd);
}

static void serve(int listener)
{
	struct epoll_event events[EVENTS];
	int loop = epoll_create1(0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	watch(loop, listener, EPOLLIN);
	for (;;) {
		int n = epoll_wait(loop, events, EVENTS, -1), fd;

		for (int i = 0; i < n; i++)
			if (events[i].data.fd != listener)
				answer(events[i].data.fd);
			else
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
					watch(loop, fd, EPOLLIN);
	}
}

static pid_t start_server(int port)
{
	struct sockaddr_in to = loopback(port);
	int fd = tcp_socket();
	pid_t pid;

	if (bind(fd, (struct sockaddr *)&to, sizeof to) < 0 || listen(fd, 4096) < 0)
		die("cannot serve");
	pid = fork();
	if (pid == 0)
		serve(fd);
	close(fd);
	return pid;
}

/* ---- a side ---------------------------------------------------------------------------------- */

static void say(int fd)
{
	if (send(fd, message, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
		die("cannot send");
}

/* The first message of a connection is sent when it stands. Returns its descriptor. */
static int begin(struct side *s)
{
	struct sockaddr_in to = loopback(s->port);
	int fd = tcp_socket();

	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
		die("cannot connect");
	watch(s->loop, fd, work == BULK ? EPOLLOUT : EPOLLOUT | EPOLLONESHOT);
	s->under_way++;
	return fd;
}

/* It stands, and speaks: from now on answers are waited for. */
static void stands(const struct side *s, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	say(fd);
	if (epoll_ctl(s->loop, EPOLL_CTL_MOD, fd, &e) < 0)
		die("epoll_ctl");
}

static void answered(struct side *s, int fd, bool more)
{
	char bytes[MESSAGE];

	if (recv(fd, bytes, sizeof bytes, 0) != MESSAGE)
		die("a connection broke");
	s->count++;
	s->under_way--;
	if (work == OPEN) {
		close(fd);
		if (more)
			begin(s);
	} else if (more) {
		say(fd);
		s->under_way++;
	}
}

/* Until all is at rest, and nothing new is begun after `end`. */
static void run_until(struct side *s, int64_t end)
{
	struct epoll_event events[EVENTS];

	while (s->under_way > 0) {
		int n = epoll_wait(s->loop, events, EVENTS, 5000);
		bool more = now() < end;

		if (n == 0)
			die("nothing comes any more");
		for (int i = 0; i < n; i++)
			if (events[i].events & EPOLLOUT)
				stands(s, events[i].data.fd);
			else
				answered(s, events[i].data.fd, more);
	}
}

/* What stays: its connections for `echo` (all of them said something, and got it back) and `bulk`.
 */
static void side_open(struct side *s, int n, int *fds)
{
	s->loop = epoll_create1(0);
	for (int i = 0; i < n && work != OPEN; i++) {
		fds[i] = begin(s);
		if (work == ECHO)
			run_until(s, 0);
	}
}

/* Streams that take something are sent it. */
static void pour(const struct side *s, int64_t end)
{
	struct epoll_event events[EVENTS];

	while (now() < end) {
		int n = epoll_wait(s->loop, events, EVENTS, 1);

		for (int i = 0; i < n; i++) {
			ssize_t done = send(events[i].data.fd, chunk, CHUNK, MSG_NOSIGNAL);

			if (done < 0 && errno != EAGAIN)
				die("a stream broke");
			sent += done < 0 ? 0 : (uint64_t)done;
		}
	}
}

static uint64_t bytes_arrived(void)
{
	return __atomic_load_n(arrived, __ATOMIC_RELAXED);
}

static void drain(void)
{
	int64_t give_up = now() + INT64_C(5000000000);

	while (bytes_arrived() < sent) {
		if (now() > give_up)
			die("not all arrives");
		nanosleep(&(struct timespec){.tv_nsec = REST}, NULL);
	}
}

static void slice_of_bulk(struct side *s, char *line, size_t room)
{
	int64_t began, end, cpu;
	uint64_t before;

	pour(s, now() + LEAD);
	began = now();
	cpu = cpu_of(s);
	before = bytes_arrived();
	pour(s, began + slice_of[BULK]);
	end = now();
	snprintf(line, room, "%llu %.6f %lld", (unsigned long long)(bytes_arrived() - before),
		 (double)(end - began) / 1e9, (long long)(cpu_of(s) - cpu));
	drain();
}

static void slice(struct side *s, int n, const int *fds, char *line, size_t room)
{
	int64_t cpu = cpu_of(s), began = now(), end;

	s->count = 0;
	for (int i = 0; i < n; i++) {
		if (work == OPEN) {
			begin(s);
			continue;
		}
		say(fds[i]);
		s->under_way++;
	}
	run_until(s, began + slice_of[work]);
	end = now();
	nanosleep(&(struct timespec){.tv_nsec = REST}, NULL); /* FINs are under way */
	snprintf(line, room, "%llu %.6f %lld", (unsigned long long)s->count,
		 (double)(end - began) / 1e9, (long long)(cpu_of(s) - cpu));
}

/* Returns the server. */
static pid_t open_all(struct side *sides, int n, int (*fds)[MOST], char **argv)
{
	pid_t server;

	arrived = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (arrived == MAP_FAILED)
		die("mmap");
	server = start_server(atoi(argv[4]));
	for (int i = 0; i < 2; i++) {
		sides[i] =
		    (struct side){.port = atoi(argv[5 + 2 * i]), .cpu_file = argv[6 + 2 * i]};
		side_open(&sides[i], n, fds[i]);
	}
	return server;
}

int main(int argc, char **argv)
{
	static int fds[2][MOST];
	struct side sides[2];
	char lines[2][100];
	int n = argc == 9 ? atoi(argv[2]) : 0, pairs = argc == 9 ? atoi(argv[3]) : 0;
	pid_t server;

	for (work = 0; n > 0 && work < WORKS && strcmp(argv[1], works[work]) != 0;)
		work++;
	if (n < 1 || n > MOST || pairs < 1 || work == WORKS) {
		fprintf(stderr, "usage: paired echo|open|bulk N PAIRS TARGET PORT CPU-FILE PORT "
				"CPU-FILE\n");
		return 2;
	}
	server = open_all(sides, n, fds, argv);
	/* In changing order: what the slice before left behind is as often the one's as the
	 * other's. */
	for (int k = -WARM_PAIRS; k < pairs; k++) {
		for (int i = 0; i < 2; i++) {
			int which = (k & 1) ^ i;

			if (work == BULK)
				slice_of_bulk(&sides[which], lines[which], sizeof lines[which]);
			else
				slice(&sides[which], n, fds[which], lines[which],
				      sizeof lines[which]);
		}
		if (k >= 0)
			printf("%s %s\n", lines[0], lines[1]);
	}
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}
