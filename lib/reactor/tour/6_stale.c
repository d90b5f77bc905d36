/*
 * 6. Stale events: readiness of a closed descriptor, and freeing in callbacks.
 *
 * The problem: a wait returns many events at once, and the callback of the first may close what the
 * second is about. Its memory is freed then; and its number may belong to another client by now,
 * which is called though it has nothing to say. Here who sends "kick" has all others closed, and a
 * listener that is ready in the same turn takes their numbers again. With `problem` events are
 * believed: the server reads from the wrong ones, and says so.
 *
 * The way out: events carry a number and a generation, and no pointer. Whoever takes the number
 * gets the next generation, so a stale event is known by comparing. And whoever is called
 * may free itself, for nothing is touched after its callback. (libevent and libev keep a list of
 * what is active and take out what is stopped; libuv voids the rest of its batch.)
 *
 *	6_stale PORT [problem]
 */
#include "server.h"

#include <sys/epoll.h>

enum { BATCH = 64, MOST = 1024 };

struct slot {
	void (*ready)(int fd); /* NULL: nobody has this number */
	uint32_t generation;
};

struct name { /* what an event carries */
	uint32_t fd, generation;
};

static struct slot slots[MOST]; /* by descriptor */
static int set, most;
static long stale;
static bool believes; /* the problem */

static void watch(int fd, void (*ready)(int fd))
{
	struct epoll_event event = {.events = EPOLLIN};
	struct name name;

	if (fd < 0 || fd >= MOST) {
		close(fd);
		return;
	}
	slots[fd].ready = ready;
	name = (struct name){(uint32_t)fd, ++slots[fd].generation};
	memcpy(&event.data, &name, sizeof name);
	must(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
	most = fd > most ? fd : most;
}

static void drop(int fd)
{
	slots[fd].ready = NULL;
	close(fd);
}

/* Is this event about who has the number now? */
static bool is_current(struct name name)
{
	const struct slot *slot = &slots[name.fd];
	bool current = slot->ready && slot->generation == name.generation;

	if (current)
		return true;
	stale++;
	printf("%s a stale event, %ld so far\n", believes ? "believed" : "dropped", stale);
	fflush(stdout);
	return believes && slot->ready;
}

/* ---- clients --------------------------------------------------------------------------------- */

static void on_client(int fd);

/* All but `fd`. Those who wait to be accepted get the numbers at once. */
static void kick(int fd, int listener)
{
	int client;

	for (int other = 0; other <= most; other++)
		if (other != fd && slots[other].ready == on_client)
			drop(other);
	while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
		watch(client, on_client);
}

static int the_listener;

static void on_client(int fd)
{
	char bytes[4096];
	ssize_t n = read(fd, bytes, sizeof bytes);

	if (n < 0 && errno == EAGAIN) {
		printf("client %d was called, and has nothing to say\n", fd);
		return;
	}
	if (n >= 4 && memcmp(bytes, "kick", 4) == 0)
		kick(fd, the_listener);
	if (n <= 0 || write(fd, bytes, (size_t)n) != n)
		drop(fd);
}

static void on_connection(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd >= 0)
		watch(fd, on_client);
}

int main(int argc, char **argv)
{
	struct epoll_event events[BATCH];

	believes = argc > 2;
	set = must(epoll_create1(0), "epoll_create1");
	the_listener = listen_on(argc > 1 ? argv[1] : "7000");
	watch(the_listener, on_connection);
	for (;;) {
		int n = epoll_wait(set, events, BATCH, -1);

		for (int i = 0; i < n; i++) {
			struct name name;

			memcpy(&name, &events[i].data, sizeof name);
			if (is_current(name))
				slots[name.fd].ready((int)name.fd);
		}
	}
}
