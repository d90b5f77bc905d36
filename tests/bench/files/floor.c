/*
 * The floor: what raw inotify and vfork cost, without any of the promises.
 *
 *	floor arm DIR            watches a tree, prints "armed" and waits
 *	floor mark DIR           the same by one fanotify mark; prints nothing where it may not
 *	floor run DIR COMMAND    runs COMMAND at each IN_CLOSE_WRITE in DIR (not below)
 *	floor markrun DIR COMMAND  the same by one fanotify mark: of all that is closed in the file
 *	                           system, what is called as a file of DIR is
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

static char **names; /* path by watch descriptor */
static size_t room;
static int fd;

static void add(char *path)
{
	int wd = inotify_add_watch(
	    fd, path, IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE | IN_MOVE | IN_ONLYDIR);
	DIR *d;
	struct dirent *e;
	char child[4096];

	if (wd < 0)
		return;
	if ((size_t)wd >= room) {
		room = (size_t)wd * 2 + 1024;
		names = realloc(names, room * sizeof *names);
	}
	names[wd] = strdup(path);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0) {
			snprintf(child, sizeof child, "%s/%s", path, e->d_name);
			add(child);
		}
	if (d)
		closedir(d);
}

/*
 * One mark for the file system, names with each event: 0x0c00 is FAN_REPORT_DFID_NAME. Returns the
 * descriptor, or -1.
 */
static int mark(const char *path, uint64_t events)
{
	int fan = fanotify_init(FAN_CLASS_NOTIF | FAN_UNLIMITED_QUEUE | 0x0c00, O_RDONLY);

	if (fan < 0 ||
	    fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, events, AT_FDCWD, path) < 0)
		return -1;
	return fan;
}

static void run(char *const *command)
{
	pid_t pid = vfork();
	int status;

	if (pid == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	waitpid(pid, &status, 0);
}

/* The name is behind the handle of its directory (fanotify(7)). */
static const char *name_of(const struct fanotify_event_metadata *m)
{
	const struct fanotify_event_info_fid *fid = (const void *)(m + 1);
	const struct file_handle *handle = (const void *)fid->handle;

	return (const char *)handle->f_handle + handle->handle_bytes;
}

static void run_marked(int fan, const char *dir, char *const *command)
{
	_Alignas(struct fanotify_event_metadata) char events[65536];
	char path[4096];
	ssize_t len;

	while ((len = read(fan, events, sizeof events)) > 0)
		for (const struct fanotify_event_metadata *m = (const void *)events;
		     FAN_EVENT_OK(m, len); m = FAN_EVENT_NEXT(m, len)) {
			snprintf(path, sizeof path, "%s/%s", dir, name_of(m));
			if (access(path, F_OK) == 0)
				run(command);
		}
}

static int ready(int watched)
{
	if (watched < 0)
		return 0;
	puts("ready");
	fflush(stdout);
	return 1;
}

int main(int argc, char **argv)
{
	_Alignas(struct inotify_event) char events[65536];

	if (argc < 3)
		return 2;
	fd = inotify_init1(IN_CLOEXEC);
	if (strcmp(argv[1], "arm") == 0 || strcmp(argv[1], "mark") == 0) {
		if (argv[1][0] == 'a')
			add(argv[2]);
		else if (mark(argv[2], FAN_CREATE | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_DELETE |
					   FAN_MOVED_FROM | FAN_MOVED_TO | FAN_ONDIR) < 0)
			return 1;
		puts("armed");
		fflush(stdout);
		return pause();
	}
	if (argc < 4)
		return 2;
	if (strcmp(argv[1], "markrun") == 0) {
		int fan = mark(argv[2], FAN_CLOSE_WRITE);

		if (!ready(fan))
			return 1;
		run_marked(fan, argv[2], argv + 3);
		return 0;
	}
	if (!ready(inotify_add_watch(fd, argv[2], IN_CLOSE_WRITE)))
		return 1;
	while (read(fd, events, sizeof events) > 0)
		run(argv + 3);
	return 0;
}
