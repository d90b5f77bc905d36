/* Access rules, and connections counted per address. */
#include "address/cidr.h"

#include "address/endpoint.h"
#include "base/error.h"
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>

static struct address address_of(const char *text)
{
	struct address a = {0};

	if (strchr(text, ':')) {
		a.v6.sin6_family = AF_INET6;
		inet_pton(AF_INET6, text, &a.v6.sin6_addr);
		a.length = sizeof a.v6;
	} else {
		a.v4.sin_family = AF_INET;
		inet_pton(AF_INET, text, &a.v4.sin_addr);
		a.length = sizeof a.v4;
	}
	return a;
}

/* Rules as "+RANGE" and "-RANGE", blank between; -1 when one is refused. */
static int permits(const char *rules, const char *peer)
{
	struct cidr_list list = {0};
	struct address a = address_of(peer);
	char copy[200], *save = NULL;
	struct error e;
	int result;

	snprintf(copy, sizeof copy, "%s", rules);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (cidr_list_add(&list, word + 1, *word == '+', &e) < 0) {
			cidr_list_free(&list);
			return -1;
		}
	}
	result = cidr_list_permits(&list, &a);
	cidr_list_free(&list);
	return result;
}

static void test_ranges(void)
{
	SAME(permits("", "1.2.3.4"), 1, "without a rule everybody may");
	SAME(permits("-10.0.0.0/8", "10.1.2.3"), 0, "a range is denied");
	SAME(permits("-10.0.0.0/8", "11.1.2.3"), 1, "what is beside it is not");
	SAME(permits("-10.1.2.3/8", "10.200.0.1"), 0, "bits behind the prefix do not count");
	SAME(permits("+10.0.0.0/8", "11.0.0.1"), 0, "any allow makes deny the default");
	SAME(permits("+10.0.0.0/8", "10.0.0.1"), 1, "and lets its own in");
	SAME(permits("+192.168.0.0/23", "192.168.1.255"), 1, "a prefix need not end at a byte");
	SAME(permits("+192.168.0.0/23", "192.168.2.0"), 0, "and ends where it ends");
	SAME(permits("-1.2.3.4", "1.2.3.4"), 0, "no prefix: the one address");
	SAME(permits("-1.2.3.4", "1.2.3.5"), 1, "and no other");
	SAME(permits("-0.0.0.0/0", "8.8.8.8"), 0, "/0 is everybody");
	SAME(permits("-0.0.0.0/0", "2001:db8::1"), 1, "of its own family");
	SAME(permits("-::/0", "2001:db8::1"), 0, "::/0 is every IPv6 address");
	SAME(permits("-::/0", "1.2.3.4"), 1, "and no IPv4 one");
	SAME(permits("-::/0", "::ffff:1.2.3.4"), 1, "a mapped one is IPv4");
	SAME(permits("+2001:db8::/33", "2001:db8:7fff::1"), 1, "IPv6 prefixes count bits");
	SAME(permits("+2001:db8::/33", "2001:db8:8000::1"), 0, "exactly");
}

static void test_order(void)
{
	SAME(permits("-10.0.0.5 +10.0.0.0/8", "10.0.0.5"), 0, "the first match wins: deny");
	SAME(permits("+10.0.0.5 -10.0.0.0/8", "10.0.0.5"), 1, "the first match wins: allow");
	SAME(permits("+10.0.0.5 -10.0.0.0/8", "10.0.0.6"), 0, "then the next is asked");
	SAME(permits("+10.0.0.5 -10.0.0.0/8", "9.0.0.6"), 0, "then the default is deny");
}

static void test_mapped(void)
{
	SAME(permits("-10.0.0.0/8", "::ffff:10.1.2.3"), 0, "a mapped peer meets IPv4 rules");
	SAME(permits("-::ffff:10.0.0.0/104", "10.1.2.3"), 0, "a mapped rule meets IPv4 peers");
	SAME(permits("-::ffff:10.0.0.0/104", "::ffff:10.1.2.3"), 0, "and mapped ones");
	SAME(permits("-[fe80::]/10", "fe80::1"), 0, "brackets may stand around IPv6");
}

static void test_refused(void)
{
	static const char *const wrong[] = {
	    "-10.0.0.0/33", "-10.0.0/8",   "-::/129",  "-10.0.0.0/", "-host", "-10.0.0.0/x", "-",
	    "-/8",          "-1.2.3.4/-1", "-[1::2/8", "-1.2.3.4:5"};
	struct cidr_list list = {0};
	struct error e;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		SAME(permits(wrong[i], "1.2.3.4"), -1, "\"%s\" is no range", wrong[i] + 1);
	error_clear(&e);
	cidr_list_add(&list, "10.0.0.0/33", true, &e);
	SAME(e.column, 9, "the error points at the prefix");
	OK(!list.count && !list.allows, "and nothing was added");
}

static void test_other_families(void)
{
	struct cidr_list list = {0};
	struct address a = {.length = sizeof(sa_family_t)};
	struct error e;

	a.any.sa_family = AF_UNIX;
	cidr_list_add(&list, "10.0.0.0/8", true, &e);
	OK(cidr_list_permits(&list, &a), "Unix peers are beyond address rules");
	cidr_list_free(&list);
}

static void test_counts(void)
{
	struct address a = address_of("1.2.3.4"), b = address_of("::1");
	struct address mapped = address_of("::ffff:1.2.3.4"),
		       other = {.length = sizeof(sa_family_t)};
	struct address network[] = {address_of("2001:db8:0:1::1"), address_of("2001:db8:0:1:f::2"),
				    address_of("2001:db8:0:2::1")};
	struct peer *p, *q;
	struct peer_table t;

	peer_table_init(&t);
	p = peer_enter(&t, &a, 2);
	OK(p && peer_enter(&t, &mapped, 2) == p, "both ways to write an IPv4 address are one peer");
	OK(!peer_enter(&t, &a, 2) && errno == EUSERS, "the limit holds");
	q = peer_enter(&t, &b, 1);
	OK(q && q != p, "another address has its own count");
	SAME(t.table.count, 2, "two peers are known");
	peer_leave(&t, p);
	OK(peer_enter(&t, &a, 2) == p, "who left makes room");
	peer_leave(&t, p);
	peer_leave(&t, p);
	peer_leave(&t, q);
	SAME(t.table.count, 0, "the last connection takes its peer along");
	p = peer_enter(&t, &network[0], 1);
	OK(p && !peer_enter(&t, &network[1], 1), "all addresses of a /64 are one peer");
	q = peer_enter(&t, &network[2], 1);
	OK(q && q != p, "those of the next /64 are another one");
	peer_leave(&t, p);
	peer_leave(&t, q);
	OK(!peer_enter(&t, &a, 0) && errno == EUSERS, "a limit of none lets nobody in");
	other.any.sa_family = AF_UNIX;
	OK(!peer_enter(&t, &other, 9) && errno == EAFNOSUPPORT, "Unix peers are not counted");
	peer_leave(&t, NULL);
	peer_table_free(&t);
}

static void test_many(void)
{
	static struct peer *peers[5000];
	struct peer_table t;
	int entered = 0;

	peer_table_init(&t);
	for (unsigned i = 0; i < 5000; i++) {
		struct address a = address_of("10.0.0.0");

		a.v4.sin_addr.s_addr = htonl(0x0a000000u + i % 1000);
		peers[i] = peer_enter(&t, &a, 5);
		entered += peers[i] != NULL;
	}
	SAME(entered, 5000, "five connections of each of 1000 addresses");
	SAME(t.table.count, 1000, "are 1000 peers");
	for (unsigned i = 0; i < 5000; i++)
		peer_leave(&t, peers[(i * 7919) % 5000]);
	SAME(t.table.count, 0, "and none when they left in another order");
	peer_table_free(&t);
}

int main(void)
{
	test_ranges();
	test_order();
	test_mapped();
	test_refused();
	test_other_families();
	test_counts();
	test_many();
	return tap_done();
}
