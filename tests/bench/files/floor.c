/*
 * The floor: what raw inotify and vfork cost, without any of the promises.
 *
 *	floor arm DIR            watches a tree, prints "armed MS RSS_KB"
 *	floor mark DIR           the same by one fanotify mark; prints nothing where it may not
 *	floor run DIR COMMAND    runs COMMAND at each IN_CLOSE_WRITE in DIR (not below)
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char **names; /* path by watch descriptor */
static size_t room;
static int fd;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

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

/* One mark for the file system, names with each event: 0x0c00 is FAN_REPORT_DFID_NAME. */
static int mark(const char *path)
{
	int fan = fanotify_init(FAN_CLASS_NOTIF | FAN_UNLIMITED_QUEUE | 0x0c00, O_RDONLY);

	return fan < 0 ? -1
		       : fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
				       FAN_CREATE | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_DELETE |
					   FAN_MOVED_FROM | FAN_MOVED_TO | FAN_ONDIR,
				       AT_FDCWD, path);
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

int main(int argc, char **argv)
{
	_Alignas(struct inotify_event) char events[65536];
	double began = now();
	struct rusage usage;

	if (argc < 3)
		return 2;
	fd = inotify_init1(IN_CLOEXEC);
	if (strcmp(argv[1], "arm") == 0 || strcmp(argv[1], "mark") == 0) {
		if (argv[1][0] == 'a')
			add(argv[2]);
		else if (mark(argv[2]) < 0)
			return 1;
		getrusage(RUSAGE_SELF, &usage);
		printf("armed %.1f %ld\n", now() - began, usage.ru_maxrss);
		return 0;
	}
	if (argc < 4 || inotify_add_watch(fd, argv[2], IN_CLOSE_WRITE) < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	while (read(fd, events, sizeof events) > 0)
		run(argv + 3);
	return 0;
}
