/* One wrapper a function: it is counted, and fails when it is its turn. */
#include "calls.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ALLOCATORS = 4, NAMES = 40 };

/* The allocators first. */
static const char *const names[NAMES] = {
    "malloc",         "calloc",          "realloc",        "aligned_alloc", "epoll_create1",
    "epoll_ctl",      "epoll_wait",      "epoll_pwait2",   "pselect6",      "ppoll",
    "poll",           "io_uring_setup",  "io_uring_enter", "mmap",          "eventfd",
    "timerfd_create", "timerfd_settime", "signalfd",       "socketpair",    "sigaction",
    "pidfd_open",     "waitpid",         "read",           "recv",          "send",
    "write",
};

static atomic_long counts[NAMES];
static const char *failing;
static long failing_from, failing_to;
static int failing_error;
static atomic_bool has_failed;

const char *const *calls_names(void)
{
	return names;
}

static int find(const char *name)
{
	int i = 0;

	while (names[i] && strcmp(names[i], name) != 0)
		i++;
	return i;
}

void calls_reset(void)
{
	for (int i = 0; i < NAMES; i++)
		counts[i] = 0;
	failing = NULL;
	has_failed = false;
}

long calls_count(const char *name)
{
	return counts[find(name)];
}

long calls_of_the_allocator(void)
{
	long n = 0;

	for (int i = 0; i < ALLOCATORS; i++)
		n += counts[i];
	return n;
}

static void fail_range(const char *name, long from, long to, int error)
{
	calls_reset();
	failing = name;
	failing_from = from;
	failing_to = to;
	failing_error = error;
}

void calls_fail(const char *name, long nth, int error, bool for_good)
{
	fail_range(name, nth, for_good ? LONG_MAX : nth, error);
}

void calls_fail_first(const char *name, long n, int error)
{
	fail_range(name, 1, n, error);
}

bool calls_failed(void)
{
	return has_failed;
}

static bool fails(const char *name)
{
	long nth = ++counts[find(name)];

	if (!failing || strcmp(failing, name) != 0 || nth < failing_from || nth > failing_to)
		return false;
	has_failed = true;
	errno = failing_error;
	return true;
}

/* ---- the wrappers ---------------------------------------------------------------------------- */

#define WRAP(result, name, parameters, arguments, failure)                                         \
	result __real_##name parameters;                                                           \
	result __wrap_##name parameters;                                                           \
	result __wrap_##name parameters                                                            \
	{                                                                                          \
		return fails(#name) ? (failure) : __real_##name arguments;                         \
	}

WRAP(void *, malloc, (size_t size), (size), NULL)
WRAP(void *, calloc, (size_t n, size_t size), (n, size), NULL)
WRAP(void *, realloc, (void *p, size_t size), (p, size), NULL)
WRAP(void *, aligned_alloc, (size_t line, size_t size), (line, size), NULL)
WRAP(void *, mmap, (void *at, size_t n, int prot, int flags, int fd, off_t offset),
     (at, n, prot, flags, fd, offset), MAP_FAILED)
WRAP(int, epoll_create1, (int flags), (flags), -1)
WRAP(int, epoll_ctl, (int set, int op, int fd, struct epoll_event *e), (set, op, fd, e), -1)
WRAP(int, epoll_wait, (int set, struct epoll_event *e, int n, int ms), (set, e, n, ms), -1)
WRAP(int, ppoll, (struct pollfd * p, nfds_t n, const struct timespec *ts, const sigset_t *mask),
     (p, n, ts, mask), -1)
WRAP(int, poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms), -1)
WRAP(int, pipe2, (int fds[2], int flags), (fds, flags), -1)
WRAP(int, eventfd, (unsigned count, int flags), (count, flags), -1)
WRAP(int, timerfd_create, (int clock, int flags), (clock, flags), -1)
WRAP(int, timerfd_settime,
     (int fd, int flags, const struct itimerspec *new, struct itimerspec *old),
     (fd, flags, new, old), -1)
WRAP(int, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags), -1)
WRAP(int, socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds), -1)
WRAP(int, sigaction, (int number, const struct sigaction *new, struct sigaction *old),
     (number, new, old), -1)
WRAP(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options), -1)
WRAP(ssize_t, read, (int fd, void *bytes, size_t n), (fd, bytes, n), -1)
WRAP(ssize_t, recv, (int fd, void *bytes, size_t n, int flags), (fd, bytes, n, flags), -1)
WRAP(ssize_t, send, (int fd, const void *bytes, size_t n, int flags), (fd, bytes, n, flags), -1)
WRAP(ssize_t, write, (int fd, const void *bytes, size_t n), (fd, bytes, n), -1)

static const char *name_of(long number)
{
	switch (number) {
	case SYS_epoll_pwait2:
		return "epoll_pwait2";
	case SYS_pselect6:
		return "pselect6";
	case SYS_io_uring_setup:
		return "io_uring_setup";
	case SYS_io_uring_enter:
		return "io_uring_enter";
	case SYS_pidfd_open:
		return "pidfd_open";
	default:
		return "another";
	}
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	return fails(name_of(number)) ? -1
				      : __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
