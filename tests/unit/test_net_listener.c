/* Listening sockets: what is bound, what is in the way, what is left behind. */
#include "net/listener.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/units.h"
#include "net/holder.h"
#include "reactor/reactor.h"
#include "tap.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/evwatch-listener.XXXXXX";
static struct error e;

static bool is_slow; /* between two looks at what this thread has worked lies a second */

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	static time_t ahead;
	int result = __real_clock_gettime(clock, t);

	if (clock == CLOCK_THREAD_CPUTIME_ID && is_slow)
		t->tv_sec += ++ahead;
	return result;
}

static int open_word(struct listener *l, const char *word, const struct listen_config *c)
{
	struct listen_config plain = {.mode = 0600};
	struct endpoint ep;
	int result;

	error_clear(&e);
	if (endpoint_parse(&ep, word, &e) < 0)
		return -2;
	result = listener_open(l, &ep, c ? c : &plain, &e);
	endpoint_release(&ep);
	return result;
}

static const char *bound(const struct listener *l, int i)
{
	static char text[2][256];
	struct buf out = {0};

	listener_add_bound(&out, l, i);
	snprintf(text[i & 1], sizeof text[0], "%s", out.data ? out.data : "");
	buf_free(&out);
	return text[i & 1];
}

static int connect_to(const char *word)
{
	struct endpoint ep;
	struct address a;
	int fd, result;

	if (endpoint_parse(&ep, word, &e) < 0 || endpoint_addresses(&ep, &a, 1) < 1)
		return -2;
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	result = connect(fd, &a.any, a.length);
	endpoint_release(&ep);
	fd_close(&fd);
	return result;
}

static void test_loopback(void)
{
	struct listener l, second;
	char word[64];

	SAME(open_word(&l, "0", NULL), 0, "port 0 alone is bound");
	SAME(l.count, 2, "on two addresses");
	OK(strncmp(bound(&l, 0), "127.0.0.1:", 10) == 0, "127.0.0.1 first");
	OK(strncmp(bound(&l, 1), "[::1]:", 6) == 0, "then ::1");
	SAME_TEXT(strrchr(bound(&l, 1), ':'), strrchr(bound(&l, 0), ':'), "on the same port");
	SAME(connect_to(bound(&l, 0)), 0, "it can be connected to by IPv4");
	SAME(connect_to(bound(&l, 1)), 0, "and by IPv6");
	OK(fcntl(l.fds[0], F_GETFD) & FD_CLOEXEC, "no command inherits it");
	OK(fcntl(l.fds[0], F_GETFL) & O_NONBLOCK, "it does not block");
	snprintf(word, sizeof word, "%s", bound(&l, 0));
	SAME(open_word(&second, word, NULL), -1, "the same address again is refused");
	OK(strstr(e.what, word) && strstr(e.what, "in use"), "the error names it: %s", e.what);
	OK(strstr(e.hint, "another rule of this evwatch"), "and says who holds it: %s", e.hint);
	SAME(second.count, 0, "nothing stays open");
	listener_close(&l);
	SAME(open_word(&l, word, NULL), 0, "closed, it is free again at once");
	listener_close(&l);
	listener_close(&l);
}

static void test_everywhere(void)
{
	struct listener l;
	char word[64];

	SAME(open_word(&l, "*:0", NULL), 0, "every address is bound");
	SAME(l.count, 1, "by one socket");
	snprintf(word, sizeof word, "127.0.0.1%s", strrchr(bound(&l, 0), ':'));
	SAME(connect_to(word), 0, "that IPv4 reaches");
	snprintf(word, sizeof word, "[::1]%s", strrchr(bound(&l, 0), ':'));
	SAME(connect_to(word), 0, "and IPv6");
	listener_close(&l);
}

static void test_errors(void)
{
	struct listener l;

	SAME(open_word(&l, "203.0.113.7:0", NULL), -1, "an address of others is refused");
	OK(strstr(e.hint, "ip addr"), "with a cure: %s", e.hint);
	SAME(open_word(&l, "fd:999", NULL), -1, "a closed descriptor is refused");
	OK(strstr(e.what, "not open"), "as such: %s", e.what);
	SAME(open_word(&l, "systemd:web", NULL), -1, "no systemd, no socket");
	OK(strstr(e.hint, "systemd-socket-activate"), "with a cure: %s", e.hint);
	SAME(open_word(&l, "unix:/no/such/folder/x", NULL), -1, "a missing folder is refused");
	OK(strstr(e.hint, "/no/such/folder"), "by its name: %s", e.hint);
}

static void test_below_1024(void)
{
	struct listener l;

	if (geteuid() != 0 || seteuid(65534) < 0) {
		SKIP("not root", "a port below 1024 is explained");
		return;
	}
	if (open_word(&l, "127.0.0.1:1", NULL) == 0) {
		SKIP("every port is free for all here", "a port below 1024 is explained");
		listener_close(&l);
	} else {
		OK(strstr(e.hint, "CAP_NET_BIND_SERVICE"), "a port below 1024 is explained: %s",
		   e.hint);
	}
	if (seteuid(0) < 0)
		abort();
}

static void test_udp(void)
{
	struct listener l, second;
	int on = 0;
	socklen_t length = sizeof on;

	SAME(open_word(&l, "udp:127.0.0.1:0", NULL), 0, "UDP is bound");
	OK(l.count == 1 && l.datagram[0], "as a datagram socket");
	OK(strncmp(bound(&l, 0), "udp:127.0.0.1:", 14) == 0, "and told as such");
	getsockopt(l.fds[0], IPPROTO_IP, IP_PKTINFO, &on, &length);
	SAME(on, 1, "it tells which address was meant");
	SAME(open_word(&second, bound(&l, 0), NULL), -1, "nobody can share its port");
	OK(strstr(e.hint, "another rule"), "who holds a UDP port is found, too: %s", e.hint);
	listener_close(&l);
	SAME(open_word(&l, "udp:0", NULL), 0, "a UDP port alone is bound");
	SAME(l.count, 2, "twice");
	listener_close(&l);
}

static void test_reuseport(void)
{
	struct listen_config c = {.mode = 0600, .reuseport = true};
	struct listener l, second;

	SAME(open_word(&l, "127.0.0.1:0", &c), 0, "with --reuseport");
	SAME(open_word(&second, bound(&l, 0), &c), 0, "two share a port");
	listener_close(&second);
	listener_close(&l);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void test_unix(void)
{
	struct listen_config wide = {.mode = 0666};
	struct listener l, second;
	char word[200], *path = word + 5;

	snprintf(word, sizeof word, "unix:%s/s", folder);
	umask(022);
	SAME(open_word(&l, word, NULL), 0, "a Unix socket is bound");
	SAME(mode_of(path), 0600, "for its owner only");
	SAME(umask(022), 022, "the umask is as it was");
	SAME(connect_to(word), 0, "it can be connected to");
	SAME_TEXT(bound(&l, 0), word, "its name is the endpoint");
	SAME(open_word(&second, word, NULL), -1, "a live socket is never replaced");
	OK(strstr(e.what, "in use") && strstr(e.hint, "another rule"), "%s (%s)", e.what, e.hint);
	SAME(connect_to(word), 0, "and lives on");
	listener_close(&l);
	OK(access(path, F_OK) < 0, "closed, its file is gone");
	SAME(open_word(&l, word, &wide), 0, "with --mode 0666");
	SAME(mode_of(path), 0666, "the umask does not narrow it");
	listener_close(&l);
}

static void test_in_the_way(void)
{
	struct listener l;
	char word[200], *path = word + 5;
	int fd;

	snprintf(word, sizeof word, "unix:%s/w", folder);
	open_word(&l, word, NULL);
	fd_close(&l.fds[0]); /* as if it had been killed */
	free(l.unlink_path);
	SAME(connect_to(word), -1, "a socket whose process is gone");
	SAME(open_word(&l, word, NULL), 0, "is replaced");
	SAME(connect_to(word), 0, "by a live one");
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	fd_close(&fd);
	listener_close(&l);
	OK(access(path, F_OK) == 0, "what others put in its place is left alone at close");
	SAME(open_word(&l, word, NULL), -1, "a regular file is never replaced");
	OK(strstr(e.what, "regular file"), "and named: %s", e.what);
	OK(access(path, F_OK) == 0, "and still there");
	unlink(path);
	if (symlink("elsewhere", path) < 0)
		abort();
	SAME(open_word(&l, word, NULL), -1, "nor is a symbolic link");
	unlink(path);
	mkdir(path, 0700);
	SAME(open_word(&l, word, NULL), -1, "nor a directory");
	rmdir(path);
}

/*
 * A process listens at `word`, forks, and ends. Its child holds the socket, as the kernel does for
 * a while with that of an io_uring, until `until` of the socket. Returns the child's id; its end is
 * for us to see (PR_SET_CHILD_SUBREAPER).
 */
static pid_t hold(const char *word, void (*until)(int fd))
{
	int told[2];
	pid_t pid = -1, first;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe2(told, O_CLOEXEC) < 0)
		abort();
	first = fork();
	if (first == 0) {
		struct listener l;

		if (open_word(&l, word, NULL) < 0)
			_exit(1);
		pid = fork();
		if (pid == 0) {
			until(l.fds[0]);
			_exit(0);
		}
		if (write(told[1], &pid, sizeof pid) < 0)
			abort();
		_exit(0);
	}
	waitpid(first, NULL, 0);
	if (read(told[0], &pid, sizeof pid) != sizeof pid)
		abort();
	fd_close(&told[0]);
	fd_close(&told[1]);
	return pid;
}

static void somebody_connects(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	poll(&p, 1, 10000);
}

static void it_was_refused(int fd)
{
	(void)fd;
	usleep(50000);
}

static void ever(int fd)
{
	(void)fd;
	pause();
}

/* What another process holds `until` then is ours in the end, and served where it is a stream. */
static void takes_over(const char *word, void (*until)(int fd))
{
	struct listener l;
	pid_t pid = hold(word, until);

	SAME(open_word(&l, word, NULL), 0, "%s, let go late, is taken over: %s", word, e.what);
	if (strncmp(word, "udp:", 4) != 0)
		SAME(connect_to(word), 0, "and served");
	listener_close(&l);
	waitpid(pid, NULL, 0);
}

static void test_killed(void)
{
	struct listener l;
	char word[600];

	snprintf(word, sizeof word, "unix:%s/k", folder);
	takes_over(word, somebody_connects);
	snprintf(word, sizeof word, "unix:@evwatch-test-%d", (int)getpid());
	takes_over(word, somebody_connects);
	for (int udp = 0; udp <= 1; udp++) {
		open_word(&l, udp ? "udp:127.0.0.1:0" : "127.0.0.1:0", NULL);
		snprintf(word, sizeof word, "%s", bound(&l, 0));
		listener_close(&l);
		takes_over(word, it_was_refused);
	}
}

static void test_daemon(void)
{
	struct listener l;
	char word[200];
	pid_t pid;

	snprintf(word, sizeof word, "unix:%s/d", folder);
	pid = hold(word, ever);
	SAME(open_word(&l, word, NULL), -1, "what a child serves, its parent gone, is in use");
	OK(strstr(e.what, "in use"), "%s", e.what);
	SAME(connect_to(word), 0, "and served as before");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	SAME(open_word(&l, word, NULL), 0, "until that one is gone");
	listener_close(&l);
}

static void test_owner(void)
{
	struct listen_config c = {.mode = 0660, .owner = (char *)"1234:5678"};
	struct listener l;
	struct stat st = {0};
	char word[200];

	snprintf(word, sizeof word, "unix:%s/o", folder);
	if (geteuid() != 0) {
		SKIP("not root", "--owner gives the socket away");
		return;
	}
	SAME(open_word(&l, word, &c), 0, "--owner");
	lstat(word + 5, &st);
	OK(st.st_uid == 1234 && st.st_gid == 5678, "gives the socket to user and group");
	listener_close(&l);
	c.owner = (char *)"no-such-user";
	SAME(open_word(&l, word, &c), -1, "an unknown user is refused");
	OK(access(word + 5, F_OK) < 0, "and nothing is left behind");
}

static void test_abstract(void)
{
	struct listener l, second;
	char word[64];

	snprintf(word, sizeof word, "unix:@evwatch-test-%d", (int)getpid());
	SAME(open_word(&l, word, NULL), 0, "an abstract socket is bound");
	SAME_TEXT(bound(&l, 0), word, "under its name");
	SAME(connect_to(word), 0, "and reached");
	SAME(open_word(&second, word, NULL), -1, "once");
	listener_close(&l);
}

static void test_inherited(void)
{
	struct listener first, l;
	char number[16], pid[16], word[32];
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

	open_word(&first, "127.0.0.1:0", NULL);
	snprintf(word, sizeof word, "fd:%d", first.fds[0]);
	SAME(open_word(&l, word, NULL), 0, "an inherited socket is taken");
	SAME_TEXT(bound(&l, 0), bound(&first, 0), "with the address that it has");
	OK(!l.datagram[0], "as a stream");
	listener_close(&l);
	SAME(connect_to(bound(&first, 0)), 0, "the original stays open");
	snprintf(word, sizeof word, "fd:%d", file);
	SAME(open_word(&l, word, NULL), -1, "a descriptor that is no socket is refused");
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	snprintf(number, sizeof number, "%d", 2);
	dup2(file, 3);
	dup2(first.fds[0], 4);
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", "other:web", 1);
	SAME(open_word(&l, "systemd:web", NULL), 0, "systemd's socket is found by its name");
	SAME_TEXT(bound(&l, 0), bound(&first, 0), "and is that one");
	listener_close(&l);
	SAME(open_word(&l, "systemd:we", NULL), -1, "a part of the name is not enough");
	OK(strstr(e.hint, "other:web"), "the names passed are told: %s", e.hint);
	setenv("LISTEN_PID", "1", 1);
	SAME(open_word(&l, "systemd:web", NULL), getppid() == 1 ? 0 : -1,
	     "sockets for another process are not ours");
	listener_close(&l);
	listener_close(&first);
	fd_close(&file);
}

static void test_holder(void)
{
	struct listener l;

	open_word(&l, "0", NULL);
	holder_hint(&e, &l.bound[0], false);
	OK(strstr(e.hint, "another rule of this evwatch"), "who listens is found: %s", e.hint);
	is_slow = true;
	holder_hint(&e, &l.bound[0], false);
	OK(strstr(e.hint, "`ss -ltnp"), "but not looked for by more work than 100 ms: %s", e.hint);
	is_slow = false;
	listener_close(&l);
}

/* Another process holds the same port of another address; nobody else has one of these. */
static void test_holder_elsewhere(void)
{
	struct listener l, other;
	char word[32], pid[32];
	pid_t child;

	open_word(&l, "127.83.7.2:0", NULL);
	snprintf(word, sizeof word, "127.83.7.1:%u", (unsigned)address_port(&l.bound[0]));
	open_word(&other, word, NULL);
	child = fork();
	if (child == 0) {
		listener_close(&l);
		pause();
		_exit(0);
	}
	listener_close(&other);
	snprintf(pid, sizeof pid, "held by pid %d ", (int)child);
	holder_hint(&e, &l.bound[0], false);
	OK(strstr(e.hint, "another rule"), "of two addresses with one port the right one: %s",
	   e.hint);
	address_read(&other.bound[0], "127.83.7.1", 10);
	*address_port_field(&other.bound[0]) = *address_port_field(&l.bound[0]);
	holder_hint(&e, &other.bound[0], false);
	OK(strstr(e.hint, pid), "and the other: %s", e.hint);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	listener_close(&l);
}

int main(void)
{
	if (!mkdtemp(folder))
		return 1;
	test_loopback();
	test_everywhere();
	test_errors();
	test_below_1024();
	test_udp();
	test_reuseport();
	test_unix();
	test_in_the_way();
	test_killed();
	test_daemon();
	test_owner();
	test_abstract();
	test_inherited();
	test_holder();
	test_holder_elsewhere();
	OK(rmdir(folder) == 0, "no file is left behind");
	return tap_done();
}
