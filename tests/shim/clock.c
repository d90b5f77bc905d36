/*
 * A wall clock that tests can set, for LD_PRELOAD: CLOCK_REALTIME runs with the offset (seconds, as
 * text) that stands in the file EVWATCH_TEST_CLOCK. When that changes, timers on the wall clock are
 * cancelled as the kernel does it (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { FDS = 1024 };

static _Atomic long long offset;
static _Atomic bool is_wall[FDS], hears_steps[FDS], is_cancelled[FDS];

/* Sets a pointer to a function to the C library's own. */
static void find_real(void *pointer, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	memcpy(pointer, &found, sizeof found);
}

static void real_now(clockid_t clock, struct timespec *now)
{
	static int (*real)(clockid_t, struct timespec *);

	if (!real)
		find_real(&real, "clock_gettime");
	real(clock, now);
}

static long long offset_read(void)
{
	const char *path = getenv("EVWATCH_TEST_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	char text[32] = "";

	if (fd < 0)
		return 0;
	if (pread(fd, text, sizeof text - 1, 0) <= 0)
		text[0] = '\0';
	close(fd);
	return atoll(text);
}

__attribute__((constructor)) static void start(void)
{
	offset = offset_read();
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	real_now(clock, now);
	if (clock == CLOCK_REALTIME)
		now->tv_sec += offset;
	return 0;
}

static int real_settime(int fd, int flags, const struct itimerspec *when)
{
	static int (*real)(int, int, const struct itimerspec *, struct itimerspec *);

	if (!real)
		find_real(&real, "timerfd_settime");
	return real(fd, flags, when, NULL);
}

/* Looks for a step, and makes the timers of the wall clock readable. */
static void *watch(void *unused)
{
	const struct itimerspec at_once = {.it_value.tv_nsec = 1};

	for (;;) {
		long long now = offset_read();

		if (now != offset) {
			offset = now;
			for (int fd = 0; fd < FDS; fd++)
				if (hears_steps[fd]) {
					is_cancelled[fd] = true;
					real_settime(fd, 0, &at_once);
				}
		}
		usleep(1000);
	}
	return unused;
}

int timerfd_create(int clock, int flags)
{
	static int (*real)(int, int);
	static pthread_t thread;
	int fd;

	if (!real)
		find_real(&real, "timerfd_create");
	fd = real(clock, flags);
	if (fd >= 0 && fd < FDS && clock == CLOCK_REALTIME) {
		is_wall[fd] = true;
		if (!thread)
			pthread_create(&thread, NULL, watch, NULL);
	}
	return fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
	struct itimerspec moved = *when;

	(void)old;
	if (fd < FDS && is_wall[fd] && (flags & TFD_TIMER_ABSTIME)) {
		hears_steps[fd] = flags & TFD_TIMER_CANCEL_ON_SET;
		moved.it_value.tv_sec -= offset;
		if (moved.it_value.tv_sec <= 0)
			moved.it_value = (struct timespec){0, 1};
		/* Between a step and the read that tells it, nothing may hide it. */
		if (is_cancelled[fd])
			return 0;
	}
	return real_settime(fd, flags & ~TFD_TIMER_CANCEL_ON_SET, &moved);
}

ssize_t read(int fd, void *bytes, size_t length)
{
	static ssize_t (*real)(int, void *, size_t);

	if (!real)
		find_real(&real, "read");
	if (fd >= 0 && fd < FDS && is_cancelled[fd]) {
		is_cancelled[fd] = false;
		real(fd, bytes, length);
		errno = ECANCELED;
		return -1;
	}
	return real(fd, bytes, length);
}

/* The number may name something else soon. */
int close(int fd)
{
	static int (*real)(int);

	if (!real)
		find_real(&real, "close");
	if (fd >= 0 && fd < FDS)
		is_wall[fd] = hears_steps[fd] = is_cancelled[fd] = false;
	return real(fd);
}
