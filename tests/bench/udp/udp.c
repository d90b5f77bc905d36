/*
 * The parts of bench-udp, on 127.0.0.1:
 *
 *	udp echo PORT                     sends back what it gets
 *	udp floor LISTEN TARGET           a relay written by hand: batches on the clients' side
 *	udp plain LISTEN TARGET           the same, one datagram a call
 *	udp load PORT SESSIONS BYTES MS   ping-pong of all sessions; prints round trips a second
 *	udp flood PORT SESSIONS BYTES MS  16 datagrams under way in each: what batches are for
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, ROOM = 2048, PORTS = 65536 };

static struct mmsghdr headers[BATCH], replies[BATCH];
static struct iovec parts[BATCH], reply_parts[BATCH];
static struct sockaddr_in names[BATCH], reply_names[BATCH];
static char rooms[BATCH][ROOM], reply_rooms[BATCH][ROOM];

static struct sockaddr_in at(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int bound(int port)
{
	struct sockaddr_in a = at(port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
		exit((perror("bind"), 1));
	return fd;
}

static int connected(int port)
{
	struct sockaddr_in a = at(port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
		exit((perror("connect"), 1));
	return fd;
}

static void prepare(void)
{
	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){rooms[i], ROOM};
		headers[i].msg_hdr = (struct msghdr){.msg_name = &names[i],
						     .msg_namelen = sizeof *names,
						     .msg_iov = &parts[i],
						     .msg_iovlen = 1};
		reply_parts[i] = (struct iovec){reply_rooms[i], ROOM};
		replies[i].msg_hdr = (struct msghdr){.msg_name = &reply_names[i],
						     .msg_namelen = sizeof *names,
						     .msg_iov = &reply_parts[i],
						     .msg_iovlen = 1};
	}
}

static void watch(int epoll, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static void echo(int port)
{
	int fd = bound(port), epoll = epoll_create1(0), n;
	struct epoll_event e;

	watch(epoll, fd);
	while (epoll_wait(epoll, &e, 1, -1) >= 0) {
		for (int i = 0; i < BATCH; i++)
			parts[i].iov_len = ROOM;
		n = recvmmsg(fd, headers, BATCH, 0, NULL);
		for (int i = 0; i < n; i++)
			parts[i].iov_len = headers[i].msg_len;
		if (n > 0)
			sendmmsg(fd, headers, (unsigned)n, 0);
	}
}

/* ---- the floors ------------------------------------------------------------------------------ */

static int socket_of[PORTS];                /* of a client's port, 0: none yet */
static struct sockaddr_in client_of[PORTS]; /* of a socket */

static int session(int epoll, const struct sockaddr_in *client, int target)
{
	int *fd = &socket_of[ntohs(client->sin_port)];

	if (!*fd) {
		*fd = connected(target);
		client_of[*fd] = *client;
		watch(epoll, *fd);
	}
	return *fd;
}

static void from_clients(int epoll, int fd, int target, int most)
{
	int n;

	for (int i = 0; i < most; i++)
		parts[i].iov_len = ROOM;
	n = recvmmsg(fd, headers, (unsigned)most, 0, NULL);
	for (int i = 0; i < n; i++)
		send(session(epoll, &names[i], target), rooms[i], headers[i].msg_len, 0);
}

static int gather(int fd, int n)
{
	ssize_t got = recv(fd, reply_rooms[n], ROOM, 0);

	if (got < 0)
		return n;
	reply_parts[n].iov_len = (size_t)got;
	reply_names[n] = client_of[fd];
	return n + 1;
}

static void relay(int listen, int target, int most)
{
	int fd = bound(listen), epoll = epoll_create1(0), n;
	struct epoll_event events[BATCH];

	watch(epoll, fd);
	while ((n = epoll_wait(epoll, events, most, -1)) >= 0) {
		int gathered = 0;

		for (int i = 0; i < n; i++)
			if (events[i].data.fd == fd)
				from_clients(epoll, fd, target, most);
			else
				gathered = gather(events[i].data.fd, gathered);
		if (gathered)
			sendmmsg(fd, replies, (unsigned)gathered, 0);
	}
}

/* ---- the load -------------------------------------------------------------------------------- */

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* What is lost is sent again when nothing moved for a while, and told. */
static void load(int port, int sessions, size_t bytes, int64_t ms, int window)
{
	int *fds = calloc((size_t)sessions, sizeof *fds), epoll = epoll_create1(0), n;
	struct epoll_event events[BATCH];
	char room[ROOM] = {0};
	int64_t start = now(), end = start + ms * 1000000;
	long trips = 0, lost = 0;

	for (int i = 0; i < sessions; i++) {
		watch(epoll, fds[i] = connected(port));
		for (int w = 0; w < window; w++)
			send(fds[i], room, bytes, 0);
	}
	while (now() < end) {
		n = epoll_wait(epoll, events, BATCH, 100);
		for (int i = 0; n == 0 && i < sessions; i++, lost++)
			send(fds[i], room, bytes, 0);
		for (int i = 0; i < n; i++)
			for (int w = 0; w < window && recv(events[i].data.fd, room, ROOM, 0) >= 0;
			     w++, trips++)
				send(events[i].data.fd, room, bytes, 0);
	}
	printf("%.0f %ld\n", (double)trips * 1e9 / (double)(now() - start), lost);
}

int main(int argc, char **argv)
{
	prepare();
	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		echo(atoi(argv[2]));
	else if (argc == 4 && strcmp(argv[1], "floor") == 0)
		relay(atoi(argv[2]), atoi(argv[3]), BATCH);
	else if (argc == 4 && strcmp(argv[1], "plain") == 0)
		relay(atoi(argv[2]), atoi(argv[3]), 1);
	else if (argc == 6 && strcmp(argv[1], "load") == 0)
		load(atoi(argv[2]), atoi(argv[3]), (size_t)atoi(argv[4]), atoi(argv[5]), 1);
	else if (argc == 6 && strcmp(argv[1], "flood") == 0)
		load(atoi(argv[2]), atoi(argv[3]), (size_t)atoi(argv[4]), atoi(argv[5]), 16);
	else
		return 2;
	return 0;
}
