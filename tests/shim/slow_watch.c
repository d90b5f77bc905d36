/*
 * For LD_PRELOAD: an inotify_add_watch(2) that fails takes 20 ms, so that what comes between it and
 * the next attempt comes there every time. While there is a file of the name in SLOW_WATCHES each
 * one does: reading a tree takes long.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	int (*real)(int, const char *, uint32_t);
	const char *slow = getenv("SLOW_WATCHES");
	int result, why;

	*(void **)&real = dlsym(RTLD_NEXT, "inotify_add_watch");
	result = real(fd, path, mask);
	why = errno;
	if (result < 0 || (slow && access(slow, F_OK) == 0))
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	errno = why;
	return result;
}
