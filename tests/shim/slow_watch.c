/*
 * For LD_PRELOAD: an inotify_add_watch(2) that fails takes 20 ms, so that what comes between it and
 * the next attempt comes there every time.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <time.h>

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	int (*real)(int, const char *, uint32_t);
	int result, why;

	*(void **)&real = dlsym(RTLD_NEXT, "inotify_add_watch");
	result = real(fd, path, mask);
	why = errno;
	if (result < 0)
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	errno = why;
	return result;
}
