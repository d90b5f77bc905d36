/* lib/net/health: so many answers in a row, and changes only. */
#include "net/health.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/units.h"
#include "tap.h"

#include <sys/socket.h>
#include <unistd.h>

static struct reactor *r;
static struct resolver *v;

struct told {
	int times;
	enum health_state last;
	bool why;
};

static void on_change(void *context, enum health_state state, const char *why)
{
	struct told *t = context;

	t->times++;
	t->last = state;
	t->why = why != NULL;
}

/* Turns until it was told once more; the most answers in a row that were seen before. */
static uint64_t turn_until_told(const struct health *h, const struct told *t)
{
	int before = t->times;
	uint64_t most = 0;

	for (int i = 0; i < 10000 && t->times == before; i++) {
		reactor_turn(r, 10 * NS_PER_MS);
		if (h->in_a_row > most)
			most = h->in_a_row;
	}
	return most;
}

static int listen_at(struct endpoint *ep)
{
	struct address a;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	endpoint_addresses(ep, &a, 1);
	if (bind(fd, &a.any, a.length) < 0 || listen(fd, 100) < 0)
		fd_close(&fd);
	return fd;
}

/* The address of this process' socket. */
static void name_socket(struct endpoint *ep)
{
	struct error e;
	char word[64];

	snprintf(word, sizeof word, "unix:@evwatch-test-health-%d", (int)getpid());
	endpoint_parse(ep, word, &e);
}

static bool is_looking(const struct health *h)
{
	return h->check != CHECK_NONE;
}

/* One look each letter: `+` while it is up, `-` while it is down. */
static void look(struct health *h, struct endpoint *ep, const char *answers)
{
	for (; *answers; answers++) {
		int fd = *answers == '+' ? listen_at(ep) : -1;

		health_start(h);
		do
			reactor_turn(r, NS_PER_MS);
		while (is_looking(h));
		fd_close(&fd);
	}
}

static void test_in_a_row(void)
{
	struct health_config c = {
	    .interval = 3600 * NS_PER_S, .timeout = NS_PER_S, .rise = 3, .fall = 2};
	struct endpoint ep;
	struct told told = {0};
	struct health h;

	name_socket(&ep);
	c.endpoint = &ep;
	health_init(&h, r, v, &c, on_change, &told);
	look(&h, &ep, "++-+-++-");
	SAME(told.times, 0, "at first good and bad ones in turn make it neither up nor down");
	look(&h, &ep, "+++");
	SAME(h.state, HEALTH_UP, "three good ones in a row make it up");
	look(&h, &ep, "-+-+-+");
	SAME(h.state, HEALTH_UP, "a good one between bad ones keeps it up");
	look(&h, &ep, "--");
	SAME(h.state, HEALTH_DOWN, "two bad ones in a row make it down");
	look(&h, &ep, "++-++-++");
	SAME(h.state, HEALTH_DOWN, "a bad one between good ones keeps it down");
	SAME(told.times, 2, "two changes were told");
	health_stop(&h);
	endpoint_release(&ep);
}

/* A look that takes longer than the interval is waited for. */
static void test_slow_look(void)
{
	struct health_config c = {
	    .interval = NS_PER_MS, .timeout = 3600 * NS_PER_S, .rise = 1, .fall = 1};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), looks = 0;
	struct address a = {.v4.sin_family = AF_INET, .length = sizeof a.v4};
	struct endpoint ep;
	struct told told = {0};
	struct health h;
	struct error e;
	char word[64];

	bind(fd, &a.any, a.length);
	getsockname(fd, &a.any, &a.length);
	snprintf(word, sizeof word, "udp:127.0.0.1:%d", ntohs(a.v4.sin_port));
	endpoint_parse(&ep, word, &e);
	c.endpoint = &ep;
	health_init(&h, r, v, &c, on_change, &told);
	health_start(&h);
	for (int i = 0; i < 20; i++)
		reactor_turn(r, 10 * NS_PER_MS);
	while (recv(fd, word, sizeof word, MSG_DONTWAIT) >= 0)
		looks++;
	SAME(looks, 1, "there is one look at a time, however long it takes");
	health_stop(&h);
	fd_close(&fd);
	endpoint_release(&ep);
}

static void test_rise_and_fall(void)
{
	struct health_config c = {.interval = NS_PER_MS, .timeout = NS_PER_S, .rise = 3, .fall = 4};
	struct endpoint ep;
	struct told told = {0};
	struct health h;
	int fd;

	name_socket(&ep);
	c.endpoint = &ep;
	fd = listen_at(&ep);
	health_init(&h, r, v, &c, on_change, &told);
	SAME(h.state, HEALTH_UNKNOWN, "nothing is known at first");
	health_start(&h);
	SAME(turn_until_told(&h, &told), c.rise - 1, "rise: the third good answer is the one");
	SAME(told.last, HEALTH_UP, "it is up");
	OK(!told.why, "which needs no reason");
	for (int i = 0; i < 20; i++)
		reactor_turn(r, NS_PER_MS);
	SAME(told.times, 1, "what does not change is not told");
	fd_close(&fd);
	SAME(turn_until_told(&h, &told), c.fall - 1, "fall: the fourth bad answer is the one");
	OK(told.last == HEALTH_DOWN && told.why, "it is down, and told why");
	fd = listen_at(&ep);
	SAME(turn_until_told(&h, &told), c.rise - 1, "it has to rise again");
	health_stop(&h);
	health_stop(&h);
	SAME(told.times, 3, "three changes were told");
	fd_close(&fd);
	endpoint_release(&ep);
}

int main(void)
{
	alarm(60); /* one that hangs ends here */
	r = reactor_new(NULL, NULL);
	v = resolver_new(r, 0, "test");
	test_rise_and_fall();
	test_in_a_row();
	test_slow_look();
	resolver_free(v);
	reactor_free(r);
	return tap_done();
}
