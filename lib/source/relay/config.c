/* See config.h. */
#include "source/relay/config.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "net/bound.h"

#include <stdlib.h>
#include <string.h>

void relay_config_init(void *config)
{
	struct relay_config *c = config;

	c->connect_timeout = 5 * NS_PER_S;
	c->dns_ttl = 5 * NS_PER_S;
	c->drain = 2 * NS_PER_S;
	c->rise = 2;
	c->fall = 3;
}

/* Both ways may be asked for: `--proxy accept --proxy send-v2`. */
static int parse_proxy(void *config, const char *word, struct error *e)
{
	struct relay_config *c = config;

	if (strcmp(word, "accept") == 0)
		c->proxy_accept = true;
	else if (strcmp(word, "send-v1") == 0)
		c->proxy_send = 1;
	else if (strcmp(word, "send-v2") == 0)
		c->proxy_send = 2;
	else
		return error_set(e, "\"%s\" is not one of accept, send-v1, send-v2", word);
	return 0;
}

static int parse_bind(void *config, const char *word, struct error *e)
{
	if (address_read(&((struct relay_config *)config)->bind, word, strlen(word)))
		return 0;
	error_set(e, "\"%s\" is not an address", word);
	return error_hint(e, "as in 192.0.2.1 or 2001:db8::1, and one of this machine's");
}

const struct address *relay_source_address(const struct relay_config *c)
{
	return c->bind.length ? &c->bind : NULL;
}

/* Can this target be connected to from --bind? Names are resolved later. */
static bool is_in_family(const struct relay_config *c, const struct endpoint *target)
{
	struct address all[LISTENER_MOST];
	int n = endpoint_addresses(target, all, LISTENER_MOST);

	if (!c->bind.length || n == 0 || !address_is_ip(&all[0]))
		return true;
	for (int i = 0; i < n; i++)
		if (all[i].any.sa_family == c->bind.any.sa_family)
			return true;
	return false;
}

static bool is_udp(const struct endpoint *ep)
{
	return ep->kind == ENDPOINT_UDP;
}

/* Streams have no datagrams' borders, and datagrams no end: there is no relaying between them. */
static int check_mixture(const struct relay_config *c, char *const *words, size_t i,
			 const struct endpoint *ep, struct error *e)
{
	bool inherited = c->listen.kind == ENDPOINT_FD || c->listen.kind == ENDPOINT_SYSTEMD;
	const struct endpoint *first = inherited ? &c->targets[0] : &c->listen;
	const struct endpoint *other = is_udp(ep) ? &c->listen : ep;

	if (is_udp(first) == is_udp(ep))
		return 0;
	error_set(e, "%s: one side is udp:, the other is not", words[i]);
	return error_hint(e, "write udp: on both sides: udp:%s",
			  other->kind == ENDPOINT_TCP ? words[is_udp(ep) ? 0 : i] : "HOST:PORT");
}

static int parse_endpoint(struct endpoint *ep, char *const *words, size_t i, struct error *e)
{
	e->column = 0;
	if (endpoint_parse(ep, words[i], e) < 0)
		return error_at(e, (int)i, e->column);
	if (i > 0 && endpoint_check_target(ep, words[i], e) < 0) {
		endpoint_release(ep);
		return error_at(e, (int)i, 0);
	}
	return 0;
}

/* Is this target, words[i], one for such a listener? */
static int check_target(const struct relay_config *c, char *const *words, size_t i, struct error *e)
{
	const struct endpoint *target = &c->targets[i - 1];

	if (strcmp(words[i], words[0]) == 0) {
		error_set(e, "%s: the relay would connect to itself", words[i]);
		return error_hint(e, "give the endpoint of the service");
	}
	if (!is_in_family(c, target)) {
		error_set(e, "%s cannot be connected to from the address of --bind", words[i]);
		return error_hint(e, "one is IPv4, the other IPv6");
	}
	return check_mixture(c, words, i, target, e);
}

int relay_config_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct relay_config *c = config;

	c->targets = calloc(n, sizeof *c->targets);
	if (!c->targets)
		return error_errno(e, "out of memory");
	if (parse_endpoint(&c->listen, words, 0, e) < 0)
		return -1;
	for (size_t i = 1; i < n; i++) {
		if (parse_endpoint(&c->targets[i - 1], words, i, e) < 0)
			return -1;
		c->n_targets++;
		if (check_target(c, words, i, e) < 0)
			return error_at(e, (int)i, 0);
	}
	c->datagrams = is_udp(&c->targets[0]);
	if (c->datagrams && (c->proxy_accept || c->proxy_send))
		return error_option(e, "proxy", "is for streams: a datagram has no beginning");
	return 0;
}

void relay_config_release(void *config)
{
	struct relay_config *c = config;

	endpoint_release(&c->listen);
	for (size_t i = 0; i < c->n_targets; i++)
		endpoint_release(&c->targets[i]);
	free(c->targets);
	cidr_list_free(&c->access.rules);
}

void relay_config_describe(const void *config, struct buf *out)
{
	const struct relay_config *c = config;

	buf_add_text(out, c->datagrams ? "each client's datagrams to " : "each connection to ");
	buf_add_text(out, c->listen.word);
	buf_add_text(out, c->datagrams ? ", carry them to and answers from"
				       : ", carry its bytes to and from");
	for (size_t i = 0; i < c->n_targets; i++) {
		buf_add_text(out, i ? " or " : " ");
		buf_add_text(out, c->targets[i].word);
	}
}

/* ---- options --------------------------------------------------------------------------------- */

static const char *const balances[] = {"round-robin", "least-conn", "source", "first", NULL};

/* The clients themselves are judged. */
static int check_judged(const void *config, struct error *e)
{
	return access_check(&((const struct relay_config *)config)->listen, 1, e);
}

/* Clients that a PROXY header names count, too. */
static int check_counted(const void *config, struct error *e)
{
	return ((const struct relay_config *)config)->proxy_accept ? 0 : check_judged(config, e);
}

static int check_looks(const void *config, struct error *e)
{
	if (((const struct relay_config *)config)->check)
		return 0;
	error_set(e, "has no effect without --check");
	return error_hint(e, "--check DUR looks at the targets, as in --check 2s");
}

static int check_connects(const void *config, struct error *e)
{
	const struct relay_config *c = config;

	if (!c->datagrams || c->check)
		return 0;
	error_set(e, "has no effect here: datagrams need no connection");
	return error_hint(e, "--idle DUR ends sessions that are silent");
}

static int check_bind(const void *config, struct error *e)
{
	const struct relay_config *c = config;

	if (endpoints_include(c->targets, c->n_targets, ENDPOINTS_IP))
		return 0;
	return error_set(e, "has no effect here: no target has an IP address");
}

#define CONFIG struct relay_config

const struct option relay_options[] = {
    OPTION_ROW("balance", CHOICE, balance, "HOW", "round-robin, least-conn, source, first",
	       .choices = balances),
    OPTION_ROW("connect-timeout", DURATION, connect_timeout, "DUR", "for each target (5s)",
	       .check = check_connects),
    OPTION_ROW("retry", COUNT, retry, "N", "try all targets N times more", .most = 1000),
    OPTION_ROW("idle", DURATION, idle, "DUR", "close what carried nothing for DUR (UDP: 2m)"),
    ACCESS_OPTIONS("at once; more wait (UDP: replace the idlest)", check_judged, check_counted),
    OPTION_ROW("drain", DURATION, drain, "DUR", "let connections finish when stopped (2s)"),
    OPTION_ROW("dns-ttl", DURATION, dns_ttl, "DUR", "keep a name's addresses (5s)"),
    OPTION_ROW("rate", RATE, rate, "RATE", "of each connection, each way"),
    OPTION_ROW("bind", CUSTOM, bind, "ADDR", "connect to targets from this address",
	       .parse = parse_bind, .check = check_bind),
    OPTION_ROW("proxy", CUSTOM, proxy_accept, "WHAT",
	       "PROXY header: accept, send-v1, send-v2; repeat", .parse = parse_proxy),
    OPTION_ROW("check", DURATION, check, "DUR", "look every DUR whether targets work"),
    OPTION_ROW("rise", COUNT, rise, "N", "so many good looks in a row: it is up (2)", .least = 1,
	       .check = check_looks),
    OPTION_ROW("fall", COUNT, fall, "N", "so many bad ones: it is down (3)", .least = 1,
	       .check = check_looks),
    OPTION_ROW("workers", COUNT, workers, "N", "processes that share the port", .least = 1,
	       .most = WORKERS_MOST),
    OPTION_ROW("dump", TEXT, dump, "FILE|-", "write in hex what is carried"),
    {0},
};
