/*
 * The least that grouped output costs: so many commands at once, a pipe each for standard output
 * and error, poll(2); what a command wrote is kept in memory and written when it closed both.
 *
 * usage: floor_group JOBS COUNT COMMAND: runs COMMAND 1, COMMAND 2, ... COMMAND COUNT.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 64, ROOM = 1 << 20 };

struct command {
	pid_t pid;
	char *bytes;
	size_t length;
};

static struct command commands[MOST];
static struct pollfd fds[2 * MOST]; /* two a command */

static int start(int at, const char *file, long number)
{
	int out[2], err[2];
	char text[32];

	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		return -1;
	snprintf(text, sizeof text, "%ld", number);
	commands[at].length = 0;
	commands[at].pid = vfork();
	if (commands[at].pid == 0) {
		dup2(out[1], 1);
		dup2(err[1], 2);
		execl(file, file, text, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	fds[2 * at] = (struct pollfd){out[0], POLLIN, 0};
	fds[2 * at + 1] = (struct pollfd){err[0], POLLIN, 0};
	return commands[at].pid < 0 ? -1 : 0;
}

static void take(int which)
{
	struct command *c = &commands[which / 2];
	ssize_t n = read(fds[which].fd, c->bytes + c->length, ROOM - c->length);

	if (n > 0) {
		c->length += (size_t)n;
		return;
	}
	close(fds[which].fd);
	fds[which].fd = -1;
}

/* Writes and reaps what has ended. Returns whether it had. */
static int end(int at)
{
	struct command *c = &commands[at];

	if (!c->pid || fds[2 * at].fd >= 0 || fds[2 * at + 1].fd >= 0)
		return 0;
	if (waitpid(c->pid, NULL, 0) < 0 || write(1, c->bytes, c->length) != (ssize_t)c->length)
		exit(1);
	c->pid = 0;
	return 1;
}

int main(int argc, char **argv)
{
	int jobs = argc > 3 ? atoi(argv[1]) : 0;
	long count = argc > 3 ? atol(argv[2]) : 0, next = 1, running = 0;

	if (jobs < 1 || jobs > MOST)
		return 2;
	for (int i = 0; i < jobs; i++) {
		commands[i].bytes = malloc(ROOM);
		fds[2 * i].fd = fds[2 * i + 1].fd = -1;
	}
	while (next <= count || running > 0) {
		for (int i = 0; i < jobs && next <= count; i++)
			if (!commands[i].pid) {
				if (start(i, argv[3], next++) < 0)
					return 1;
				running++;
			}
		if (poll(fds, 2 * (nfds_t)jobs, -1) < 0)
			return 1;
		for (int i = 0; i < 2 * jobs; i++)
			if (fds[i].fd >= 0 && fds[i].revents)
				take(i);
		for (int i = 0; i < jobs; i++)
			running -= end(i);
	}
	return 0;
}
