/*
 * The least that a command per connection costs: accept, posix_spawn, wait; no feature.
 *
 * usage: spawn PORT MOST COMMAND [ARG]...
 *
 * At most MOST commands at once; the connection is their standard input and output.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int listen_on(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 4096) < 0) {
		perror("spawn");
		exit(1);
	}
	return fd;
}

static void run(int fd, char **command)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, 0);
	posix_spawn_file_actions_adddup2(&actions, fd, 1);
	if ((errno = posix_spawnp(&pid, command[0], &actions, NULL, command, environ)) != 0) {
		perror(command[0]);
		exit(1);
	}
	posix_spawn_file_actions_destroy(&actions);
	close(fd);
}

int main(int argc, char **argv)
{
	int listener = argc > 3 ? listen_on(atoi(argv[1])) : -1,
	    most = argc > 3 ? atoi(argv[2]) : 0;

	if (most < 1)
		return 2;
	for (int running = 0;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		run(fd, argv + 3);
		running++;
		while (running && waitpid(-1, NULL, running < most ? WNOHANG : 0) > 0)
			running--;
	}
}
