/* lib/net/health: so many answers in a row, and changes only. */
#include "net/health.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/units.h"
#include "tap.h"

#include <sys/socket.h>
#include <unistd.h>

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
static uint64_t turn_until_told(struct reactor *r, const struct health *h, const struct told *t)
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

int main(void)
{
	struct health_config c = {.interval = NS_PER_MS, .timeout = NS_PER_S, .rise = 3, .fall = 4};
	struct endpoint ep;
	struct told told = {0};
	struct health h;
	struct error e;
	struct reactor *r = reactor_new(NULL, &e);
	struct resolver *v = resolver_new(r, 0);
	char word[64];
	int fd;

	snprintf(word, sizeof word, "unix:@evwatch-test-health-%d", (int)getpid());
	endpoint_parse(&ep, word, &e);
	c.endpoint = &ep;
	fd = listen_at(&ep);
	health_init(&h, r, v, &c, on_change, &told);
	SAME(h.state, HEALTH_UNKNOWN, "nothing is known at first");
	health_start(&h);
	SAME(turn_until_told(r, &h, &told), c.rise - 1, "rise: the third good answer is the one");
	SAME(told.last, HEALTH_UP, "it is up");
	OK(!told.why, "which needs no reason");
	for (int i = 0; i < 20; i++)
		reactor_turn(r, NS_PER_MS);
	SAME(told.times, 1, "what does not change is not told");
	fd_close(&fd);
	SAME(turn_until_told(r, &h, &told), c.fall - 1, "fall: the fourth bad answer is the one");
	OK(told.last == HEALTH_DOWN && told.why, "it is down, and told why");
	fd = listen_at(&ep);
	SAME(turn_until_told(r, &h, &told), c.rise - 1, "it has to rise again");
	health_stop(&h);
	health_stop(&h);
	SAME(told.times, 3, "three changes were told");
	fd_close(&fd);
	resolver_free(v);
	reactor_free(r);
	endpoint_release(&ep);
	return tap_done();
}
