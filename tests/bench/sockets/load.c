/*
 * What the socket benches measure with: a server and many clients, each one process with epoll.
 *
 * usage: load WORK N SECONDS PORT [TARGET [PID [CPU-FILE [MEMORY-FILE]]]]
 *
 * Connects N times at once to 127.0.0.1:PORT, where the measured tool relays to 127.0.0.1:TARGET;
 * the server there is this program's own child (0: none; the tool itself answers, as `cat` does).
 *
 *   bulk   N streams to the server, as fast as it goes; counts bytes that arrived
 *   echo   N connections with one small message in flight each; counts round trips
 *   open   connect, one round trip, close, N at once; counts connections
 *   text   the same with half-close, until the end of what comes back; SECONDS is their number
 *   hold   N connections that had one round trip and are silent since; counts them
 *
 * Prints: COUNT SECONDS CPU-NS P50-NS P99-NS ANONYMOUS-BYTES CHARGED-BYTES. CPU and memory are the
 * tool's: of its cgroup where the files are given, else of PID and its descendants.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 128 * 1024, READ = 256 * 1024, MESSAGE = 64, MOST = 20000, EVENTS = 256 };
enum { SAMPLES = 1 << 20, WARM_MS = 100, GIVE_UP_S = 30 };

enum work { BULK, ECHO, OPEN, TEXT, HOLD, WORKS };
static const char *const works[WORKS] = {"bulk", "echo", "open", "text", "hold"};

struct tool {
	int pid;
	const char *cpu_file, *memory_file;
};

struct load {
	enum work work;
	int n, port, loop;
	uint64_t limit; /* text: connections in all */
	uint64_t begun, count;
	uint64_t *arrived;   /* shared with the server */
	int64_t began[MOST]; /* of what is in flight, by descriptor */
	uint32_t *samples;
	size_t n_samples;
	bool measuring;
};

static char chunk[READ];

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

/* ---- the tool's CPU and memory --------------------------------------------------------------- */

static int parent_of(int pid, long *ticks)
{
	char path[64], line[1024], *at;
	long user = 0, kernel = 0, waited_user = 0, waited_kernel = 0;
	int parent = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	at = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
	if (at)
		sscanf(at + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld",
		       &parent, &user, &kernel, &waited_user, &waited_kernel);
	fclose(f);
	*ticks = user + kernel + waited_user + waited_kernel;
	return parent;
}

static bool is_descendant(int pid, int of)
{
	long ticks;

	while (pid > 1 && pid != of)
		pid = parent_of(pid, &ticks);
	return pid == of;
}

static uint64_t anonymous_of(int pid)
{
	char path[64], line[256];
	unsigned long kb = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "Anonymous: %lu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb * 1024;
}

/* Sums over the tool and all that it started. */
static void walk_tree(int root, uint64_t *cpu, uint64_t *anonymous)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	*cpu = *anonymous = 0;
	while (proc && (d = readdir(proc))) {
		int pid = atoi(d->d_name);
		long ticks = 0;

		if (!pid || !is_descendant(pid, root) || parent_of(pid, &ticks) < 0)
			continue;
		*cpu += (uint64_t)ticks * (uint64_t)(1000000000 / sysconf(_SC_CLK_TCK));
		*anonymous += anonymous_of(pid);
	}
	if (proc)
		closedir(proc);
}

/* A cgroup's file: one number, or cpu.stat with its microseconds. */
static uint64_t number_in(const char *path)
{
	char line[256];
	unsigned long long n = 0;
	FILE *f = fopen(path, "r");

	if (!f)
		die(path);
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "usage_usec %llu", &n) == 1)
			n *= 1000;
		else if (!isdigit((unsigned char)*line))
			continue;
		else
			n = strtoull(line, NULL, 10);
		break;
	}
	fclose(f);
	return n;
}

static uint64_t cpu_of(const struct tool *t)
{
	uint64_t cpu = 0, anonymous;

	if (t->cpu_file)
		return number_in(t->cpu_file);
	if (t->pid)
		walk_tree(t->pid, &cpu, &anonymous);
	return cpu;
}

static uint64_t memory_of(const struct tool *t, uint64_t *charged)
{
	uint64_t cpu, anonymous = 0;

	*charged = t->memory_file ? number_in(t->memory_file) : 0;
	if (t->pid)
		walk_tree(t->pid, &cpu, &anonymous);
	return anonymous;
}

/* ---- sockets --------------------------------------------------------------------------------- */

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void watch(int loop, int fd, unsigned events, bool is_new)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	if (epoll_ctl(loop, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e) < 0)
		die("epoll_ctl");
}

static void no_delay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* ---- the server ------------------------------------------------------------------------------ */

/* The first byte says what a connection is for: `e` is sent back, everything else is counted. */
static void serve_one(int loop, int fd, char *kinds, uint64_t *arrived)
{
	ssize_t n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);

	(void)loop;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(fd);
		return;
	}
	if (!kinds[fd])
		kinds[fd] = chunk[0];
	if (kinds[fd] == 'e')
		send(fd, chunk, (size_t)n, MSG_NOSIGNAL);
	else
		__atomic_fetch_add(arrived, (uint64_t)n, __ATOMIC_RELAXED);
}

static void serve(int listener, uint64_t *arrived)
{
	static char kinds[MOST + 100];
	struct epoll_event events[EVENTS];
	int loop = epoll_create1(0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	watch(loop, listener, EPOLLIN, true);
	for (;;) {
		int n = epoll_wait(loop, events, EVENTS, -1), fd;

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd != listener) {
				serve_one(loop, events[i].data.fd, kinds, arrived);
				continue;
			}
			while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
				kinds[fd] = 0;
				watch(loop, fd, EPOLLIN, true);
			}
		}
	}
}

static pid_t start_server(int port, uint64_t *arrived)
{
	struct sockaddr_in to = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
	pid_t pid;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	no_delay(fd); /* what is accepted inherits it */
	if (bind(fd, (struct sockaddr *)&to, sizeof to) < 0 || listen(fd, 4096) < 0)
		die("cannot serve");
	pid = fork();
	if (pid == 0)
		serve(fd, arrived);
	close(fd);
	return pid;
}

/* ---- the clients ----------------------------------------------------------------------------- */

static void connect_one(struct load *l, bool wait)
{
	struct sockaddr_in to = loopback(l->port);
	int fd = socket(AF_INET, SOCK_STREAM | (wait ? 0 : SOCK_NONBLOCK), 0);

	if (fd < 0 || fd >= MOST)
		die("too many descriptors");
	no_delay(fd);
	l->began[fd] = now();
	l->begun++;
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
		die("cannot connect");
	watch(l->loop, fd, EPOLLOUT, true);
}

static void sample(struct load *l, int fd)
{
	if (!l->measuring)
		return;
	l->count++;
	if (l->n_samples < SAMPLES)
		l->samples[l->n_samples++] = (uint32_t)(now() - l->began[fd]);
}

static void send_message(struct load *l, int fd)
{
	l->began[fd] = l->work == OPEN || l->work == TEXT ? l->began[fd] : now();
	if (send(fd, chunk, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
		die("cannot send");
}

/* Writable: a stream goes on, the others say their first word. */
static void client_writable(struct load *l, int fd)
{
	if (l->work == BULK) {
		if (send(fd, chunk, CHUNK, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
			die("a stream broke");
		return;
	}
	send_message(l, fd);
	if (l->work == TEXT)
		shutdown(fd, SHUT_WR);
	watch(l->loop, fd, EPOLLIN, false);
}

static bool is_over(const struct load *l)
{
	return l->work == TEXT && l->begun >= l->limit;
}

static void client_again(struct load *l, int fd)
{
	sample(l, fd);
	close(fd);
	if (!is_over(l))
		connect_one(l, false);
}

static void client_readable(struct load *l, int fd)
{
	static char answer[4096];
	ssize_t n = recv(fd, answer, sizeof answer, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0 || (n == 0 && l->work != TEXT))
		die("a connection broke");
	if (n == 0 || l->work == OPEN) {
		client_again(l, fd);
	} else if (l->work == ECHO) {
		sample(l, fd);
		send_message(l, fd);
	} else if (l->work == HOLD) {
		l->count++;
		watch(l->loop, fd, 0, false);
	}
}

static void turn(struct load *l)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(l->loop, events, EVENTS, 100);

	for (int i = 0; i < n; i++) {
		if (events[i].events & EPOLLOUT)
			client_writable(l, events[i].data.fd);
		else
			client_readable(l, events[i].data.fd);
	}
}

static void run_until(struct load *l, int64_t end)
{
	int64_t give_up = now() + (int64_t)GIVE_UP_S * 1000000000;

	while (now() < end && !(l->work == TEXT && l->count >= l->limit)) {
		turn(l);
		if (now() > give_up)
			die("it takes too long");
	}
}

/* All at once would be refused by a backlog that is short. */
static void connect_all(struct load *l)
{
	for (int i = 0; i < l->n; i++) {
		connect_one(l, l->work != TEXT && l->work != OPEN);
		if (l->work == HOLD && i % 64 == 63)
			while (l->count + 64 < (uint64_t)i)
				turn(l);
	}
	while (l->work == HOLD && l->count < (uint64_t)l->n)
		turn(l);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t percentile(const struct load *l, size_t percent)
{
	return l->n_samples ? l->samples[(l->n_samples - 1) * percent / 100] : 0;
}

static void report(struct load *l, const struct tool *t, double seconds)
{
	int64_t began = 0, cpu = 0;
	uint64_t before, charged = 0, charged_before = 0, anonymous, empty;

	empty = memory_of(t, &charged_before);
	if (l->work == TEXT) {
		l->measuring = true;
		cpu = (int64_t)cpu_of(t);
		began = now();
	}
	connect_all(l);
	if (l->work != TEXT) {
		run_until(l, now() + (int64_t)WARM_MS * 1000000);
		l->measuring = true;
		cpu = (int64_t)cpu_of(t);
		began = now();
	}
	before = *l->arrived;
	run_until(l, l->work == TEXT ? INT64_MAX : began + (int64_t)(seconds * 1e9));
	seconds = (double)(now() - began) / 1e9;
	cpu = (int64_t)cpu_of(t) - cpu;
	if (l->work == BULK)
		l->count = *l->arrived - before;
	anonymous = memory_of(t, &charged);
	qsort(l->samples, l->n_samples, sizeof *l->samples, compare);
	printf("%llu %.4f %lld %u %u %lld %lld\n", (unsigned long long)l->count, seconds,
	       (long long)cpu, percentile(l, 50), percentile(l, 99), (long long)(anonymous - empty),
	       (long long)(charged - charged_before));
}

int main(int argc, char **argv)
{
	static struct load l = {.work = WORKS};
	struct tool t = {0};
	struct rlimit files;
	pid_t server = 0;
	int target = argc > 5 ? atoi(argv[5]) : 0;

	for (int w = 0; argc > 4 && w < WORKS; w++)
		if (strcmp(argv[1], works[w]) == 0)
			l.work = (enum work)w;
	if (l.work == WORKS || atoi(argv[2]) < 1 || atoi(argv[2]) > MOST / 2) {
		fprintf(stderr, "usage: load WORK N SECONDS PORT [TARGET [PID [CPU-FILE "
				"[MEMORY-FILE]]]]\n");
		return 2;
	}
	l.n = atoi(argv[2]);
	l.limit = (uint64_t)atof(argv[3]);
	l.port = atoi(argv[4]);
	t.pid = argc > 6 ? atoi(argv[6]) : 0;
	t.cpu_file = argc > 7 && *argv[7] ? argv[7] : NULL;
	t.memory_file = argc > 8 && *argv[8] ? argv[8] : NULL;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	memset(chunk, l.work == BULK ? 'b' : 'e', sizeof chunk);
	l.arrived = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	l.samples = malloc(SAMPLES * sizeof *l.samples);
	l.loop = epoll_create1(EPOLL_CLOEXEC);
	if (l.arrived == MAP_FAILED || !l.samples || l.loop < 0)
		die("load");
	if (target)
		server = start_server(target, l.arrived);
	report(&l, &t, atof(argv[3]));
	if (server > 0 && kill(server, SIGKILL) == 0)
		waitpid(server, NULL, 0); /* its port is free then */
	return 0;
}
