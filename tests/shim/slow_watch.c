/*
 * For LD_PRELOAD: an inotify_add_watch(2) that fails takes 20 ms, so that what comes between it and
 * the next attempt comes there every time. While there is a file of the name in SLOW_WATCHES each
 * one does: reading a tree takes long. So does each inotify_rm_watch(2) then.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int is_slow(void)
{
	const char *slow = getenv("SLOW_WATCHES");

	return slow && access(slow, F_OK) == 0;
}

static int after(int result, int slow)
{
	int why = errno;

	if (slow || is_slow())
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	errno = why;
	return result;
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	int (*real)(int, const char *, uint32_t);
	int result;

	*(void **)&real = dlsym(RTLD_NEXT, "inotify_add_watch");
	result = real(fd, path, mask);
	return after(result, result < 0);
}

int inotify_rm_watch(int fd, int wd)
{
	int (*real)(int, int);

	*(void **)&real = dlsym(RTLD_NEXT, "inotify_rm_watch");
	return after(real(fd, wd), 0);
}
