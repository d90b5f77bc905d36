/*
 * without CALL,... COMMAND...: runs the command where the kernel has none of these system calls
 * (ENOSYS, by a seccomp filter), as one that is too old.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned number;
} calls[] = {
    {"close_range", SYS_close_range},
    {"openat2", SYS_openat2},
    {"pidfd_open", SYS_pidfd_open},
    {"epoll_pwait2", SYS_epoll_pwait2},
    {"io_uring_setup", SYS_io_uring_setup},
    {"timerfd_create", SYS_timerfd_create},
    {"eventfd2", SYS_eventfd2},
    {"signalfd4", SYS_signalfd4},
    {"clone3", SYS_clone3},
    {"fanotify_init", SYS_fanotify_init},
    {"epoll_create1", SYS_epoll_create1},
};

enum { MOST = 16 };

static int deny(unsigned number)
{
	struct sock_filter filter[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int deny_named(const char *name)
{
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (strcmp(calls[i].name, name) == 0)
			return deny(calls[i].number);
	errno = EINVAL;
	return -1;
}

int main(int argc, char **argv)
{
	if (argc < 3 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return 2;
	for (char *name = strtok(argv[1], ","); name; name = strtok(NULL, ","))
		if (deny_named(name) < 0) {
			perror(name);
			return 2;
		}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
