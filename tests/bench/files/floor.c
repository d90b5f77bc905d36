/*
 * The floor: what raw inotify and vfork cost, without any of the promises.
 *
 *	floor arm DIR            watches a tree, prints "armed MS RSS_KB"
 *	floor run DIR COMMAND    runs COMMAND at each IN_CLOSE_WRITE in DIR (not below)
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	if (strcmp(argv[1], "arm") == 0) {
		add(argv[2]);
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
