/* lib/pool: which member a client gets, and the search for one that takes it. */
#include "pool/seeker.h"

#include "base/error.h"
#include "base/units.h"
#include "tap.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MOST = 2500, MOST = 11 };

static struct reactor *r;
static struct resolver *v;
static struct endpoint endpoints[MOST];
static struct pool_counts counts[MOST];
static bool none_tried[MOST];
static struct pool pool;

/* A new pool of `n` endpoints, whose words are this one with a number. */
static void pool_make(size_t n, enum pool_balance balance, const char *word)
{
	struct error e;
	char text[64];

	pool_close(&pool);
	memset(counts, 0, sizeof counts);
	for (size_t i = 0; i < MOST; i++) {
		endpoint_release(&endpoints[i]);
		snprintf(text, sizeof text, "%s%zu", word, i + 1);
		endpoint_parse(&endpoints[i], text, &e);
	}
	pool = (struct pool){.reactor = r,
			     .rule = "test",
			     .endpoints = endpoints,
			     .n = n,
			     .balance = balance,
			     .counts = counts,
			     .checks = counts};
	if (pool_open(&pool) < 0)
		abort();
}

/* ---- choosing -------------------------------------------------------------------------------- */

static uint64_t client(int number)
{
	struct address a;
	char text[32];
	int length = snprintf(text, sizeof text, "10.0.%d.%d", number / 100, number % 100 + 1);

	address_read(&a, text, (size_t)length);
	return pool_hash_client(&a);
}

/* Shares vary by chance, by about the root of the clients in one: 23 of 250 are too few to judge.
 */
static void test_source(size_t n, int clients)
{
	size_t chosen[CLIENTS_MOST], each[MOST] = {0}, out, moved = 0, spread = 0;
	bool fair = true, same = true;

	pool_make(n, BALANCE_SOURCE, "10.9.9.9:80");
	for (int i = 0; i < clients; i++)
		each[chosen[i] = pool_choose(&pool, client(i), none_tried)]++;
	for (size_t i = 0; i < n; i++)
		fair &= each[i] * n * 4 >= (size_t)clients * 3 &&
			each[i] * n * 4 <= (size_t)clients * 5;
	OK(fair, "source: of %zu members each gets its share of %d clients, within a quarter", n,
	   clients);
	for (int i = clients - 1; i >= 0; i--)
		same &= pool_choose(&pool, client(i), none_tried) == chosen[i];
	OK(same, "source: of %zu members a client gets the same again, in any order", n);

	out = chosen[0];
	atomic_store(&counts[out].down, true);
	memset(each, 0, sizeof each);
	for (int i = 0; i < clients; i++) {
		size_t now = pool_choose(&pool, client(i), none_tried);

		moved += chosen[i] != out && now != chosen[i];
		each[now] += chosen[i] == out;
	}
	SAME(moved, 0, "source: where one of %zu members is down, only its clients move", n);
	for (size_t i = 0; i < n; i++)
		spread += each[i] > 0;
	OK(each[out] == 0 && spread > 1, "source: and they go to several of the others (%zu)",
	   spread);
}

static void test_turns(void)
{
	bool tried[MOST] = {0};

	pool_make(3, BALANCE_ROUND_ROBIN, "10.9.9.9:80");
	for (size_t i = 0; i < 6; i++)
		SAME(pool_choose(&pool, 0, none_tried), i % 3, "round-robin: choice %zu", i);
	tried[0] = true;
	SAME(pool_choose(&pool, 0, tried), 1, "round-robin: after a failure the next in turn");
	tried[1] = true;
	SAME(pool_choose(&pool, 0, tried), 2, "round-robin: and the one after it");
	pool_make(3, BALANCE_FIRST, "10.9.9.9:80");
	SAME(pool_choose(&pool, 0, none_tried), 0, "first: the first one");
	SAME(pool_choose(&pool, 0, none_tried), 0, "first: and again");
	SAME(pool_choose(&pool, 0, tried), 2, "first: after two failures the third");
}

/* After a failure the next by the policy, not the neighbour. */
static void test_next_by_policy(void)
{
	bool tried[MOST] = {0};
	size_t first, second;

	pool_make(MOST, BALANCE_SOURCE, "10.9.9.9:80");
	first = pool_choose(&pool, client(1), tried);
	tried[first] = true;
	second = pool_choose(&pool, client(1), tried);
	atomic_store(&counts[first].down, true);
	SAME(pool_choose(&pool, client(1), none_tried), second,
	     "source: after a failure the one that the client gets while its own is down");

	pool_make(3, BALANCE_LEAST_CONN, "10.9.9.9:80");
	memset(tried, 0, sizeof tried);
	counts[1].connections = 2;
	counts[2].connections = 1;
	SAME(pool_choose(&pool, 0, tried), 0, "least-conn: the one with the fewest");
	tried[0] = true;
	SAME(pool_choose(&pool, 0, tried), 2,
	     "least-conn: after a failure the one with the fewest "
	     "of the others");
}

static void test_rest(void)
{
	int64_t now = reactor_now(r, CLOCK_OF_LOOP);
	size_t dead = 0;

	pool_make(3, BALANCE_LEAST_CONN, "10.9.9.9:80");
	counts[1].connections = counts[2].connections = 5;
	pool_rest(&pool, 0, now);
	for (int i = 0; i < 10; i++)
		dead += pool_choose(&pool, 0, none_tried) == 0;
	SAME(dead, 0, "least-conn: one that failed is passed over, however idle it is");
	pool_rest(&pool, 1, now);
	pool_rest(&pool, 2, now);
	SAME(pool_choose(&pool, 0, none_tried), 0,
	     "least-conn: where all failed, they are chosen as ever");
	atomic_store(&counts[0].down, true);
	OK(pool_choose(&pool, 0, none_tried) != 0, "one that failed comes before one that is down");
	pool_took(&pool, 2);
	SAME(pool_choose(&pool, 0, none_tried), 2, "one that takes a connection rests no more");
	pool_rest(&pool, 2, now - 2 * NS_PER_S);
	SAME(pool_choose(&pool, 0, none_tried), 2, "a rest is over after a moment");
}

/* ---- the search ------------------------------------------------------------------------------ */

struct found {
	int times, fd;
};

static void on_sought(void *context, int fd)
{
	struct found *f = context;

	f->times++;
	f->fd = fd;
}

static void on_changed(void *owner)
{
	(void)owner;
}

static struct search search_make(uint64_t retry)
{
	static const struct search_calls calls = {.sought = on_sought};
	struct search s = {.pool = &pool,
			   .resolver = v,
			   .connect = {.timeout = 60 * NS_PER_S},
			   .retry = retry,
			   .calls = &calls,
			   .changed = on_changed};

	return s;
}

/* Has this member accept. */
static int serve(size_t member)
{
	struct address a;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	endpoint_addresses(&endpoints[member], &a, 1);
	if (bind(fd, &a.any, a.length) < 0 || listen(fd, 100) < 0)
		abort();
	return fd;
}

static void turn_until(const struct found *f, int times)
{
	for (int i = 0; i < 1000 && f->times < times; i++)
		reactor_turn(r, 10 * NS_PER_MS);
}

static uint64_t connections(void)
{
	uint64_t n = 0;

	for (size_t i = 0; i < pool.n; i++)
		n += counts[i].connections;
	return n;
}

static void test_search(const char *word)
{
	struct found f = {.fd = -1};
	struct search s = search_make(0);
	uint32_t member;
	struct seeker *k;
	int listening;

	pool_make(3, BALANCE_FIRST, word);
	search_init(&s);
	k = seeker_new(&s, &f, 0, &member);
	seeker_start(k);
	turn_until(&f, 1);
	OK(f.fd == -1 && f.times == 1, "a search that no member answers ends, once");
	OK(connections() == 0 && counts[0].failed == 1 && counts[2].failed == 1,
	   "each member failed once, and counts no client");
	OK(s.logged_none, "which was logged");
	seeker_free(k);

	listening = serve(2);
	pool_close(&pool);
	pool_open(&pool); /* nobody rests */
	k = seeker_new(&s, &f, 0, &member);
	seeker_start(k);
	turn_until(&f, 2);
	OK(f.fd >= 0 && member == 2, "a search goes on to the member that answers");
	OK(counts[2].connections == 1 && connections() == 1, "which alone counts the client");
	close(f.fd);
	seeker_again(k, "it broke");
	turn_until(&f, 3);
	OK(f.fd == -1 && connections() == 0, "if that breaks and none is left, the search ends");
	seeker_free(k);
	search_close(&s);
	close(listening);
}

static void test_rounds(const char *word)
{
	struct found f = {.fd = -1};
	struct search s = search_make(1000);
	uint32_t member;
	struct seeker *k;
	int listening;

	pool_make(3, BALANCE_ROUND_ROBIN, word);
	search_init(&s);
	k = seeker_new(&s, &f, 0, &member);
	seeker_start(k);
	for (int i = 0; i < 1000 && !seeker_is_waiting(k); i++)
		reactor_turn(r, 10 * NS_PER_MS);
	OK(seeker_is_waiting(k) && !f.times && connections() == 0,
	   "between two rounds a search waits, and no member counts its client");
	listening = serve(1);
	turn_until(&f, 1);
	OK(f.fd >= 0 && member == 1, "in the next round it finds a member that came meanwhile");
	close(f.fd);
	seeker_free(k);

	seeker_start(k = seeker_new(&s, &f, 0, &member));
	seeker_free(k);
	SAME(connections(), f.times, "one that is given up counts no client any more");
	search_close(&s);
	close(listening);
}

int main(void)
{
	char folder[] = "/tmp/test_pool.XXXXXX", word[64], path[64];
	struct reactor_error why;

	r = reactor_new(getenv("EVWATCH_BACKEND"), &why);
	v = resolver_new(r, NS_PER_S, "test");
	if (!r || !v || !mkdtemp(folder))
		return 1;
	test_source(3, 250);
	test_source(11, 2500);
	test_turns();
	test_next_by_policy();
	test_rest();
	snprintf(word, sizeof word, "unix:%s/a", folder);
	test_search(word);
	snprintf(word, sizeof word, "unix:%s/b", folder);
	test_rounds(word);
	for (int i = 0; i < 6; i++) {
		snprintf(path, sizeof path, "%s/%c%d", folder, "ab"[i / 3], i % 3 + 1);
		unlink(path);
	}
	rmdir(folder);
	pool_close(&pool);
	resolver_free(v);
	reactor_free(r);
	return tap_done();
}
