/* statx(2), for C libraries that do not have it yet (musl before 1.2.5). */
#ifndef EVWATCH_BASE_STATX_H
#define EVWATCH_BASE_STATX_H

#include <sys/stat.h>

#ifndef STATX_BTIME
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int statx(int folder, const char *path, int flags, unsigned mask, struct statx *st)
{
	return (int)syscall(SYS_statx, folder, path, flags, mask, st);
}
#endif

#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif

#endif
