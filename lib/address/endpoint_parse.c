/*
 * Endpoint words, read and written. See endpoint.h.
 *
 * The hard part is to tell what a bare colon means: `HOST:PORT` has one, an IPv6 address many, and
 * the brackets around the latter are asked for, never guessed.
 */
#include "address/endpoint.h"

#include "base/array.h"
#include "base/error.h"
#include "base/units.h"

#include <ctype.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

static bool all_digits_until(const char *s, char end)
{
	size_t n = strspn(s, "0123456789");

	return n && (!s[n] || s[n] == end);
}

static bool all_digits(const char *s)
{
	return all_digits_until(s, '\0');
}

/* Reads a number of at most `most`; false when it is none. */
static bool number_read(const char *s, uint64_t most, uint64_t *n)
{
	struct error ignored;

	return all_digits(s) && count_parse(s, 0, most, n, &ignored) == 0;
}

static bool service_find(const char *name, const char *protocol, uint16_t *port)
{
	struct servent entry, *found = NULL;
	char room[2048];

	if (getservbyname_r(name, protocol, &entry, room, sizeof room, &found) != 0 || !found)
		return false;
	*port = ntohs((uint16_t)found->s_port);
	return true;
}

static int port_parse(struct endpoint *ep, const char *word, const char *at, struct error *e)
{
	uint64_t n;

	if (!*at)
		return error_in_word(e, word, at, "a port is missing");
	if (all_digits(at)) {
		if (!number_read(at, 65535, &n))
			return error_in_word(e, word, at, "a port is a number from 1 to 65535");
		ep->port = (uint16_t)n;
		return 0;
	}
	if (service_find(at, ep->kind == ENDPOINT_UDP ? "udp" : "tcp", &ep->port))
		return 0;
	return error_in_word(e, word, at, "neither a port nor a service that /etc/services knows");
}

/* A port alone; where it is none, its port may have been forgotten. */
static int port_alone_parse(struct endpoint *ep, const char *word, const char *at, struct error *e)
{
	if (port_parse(ep, word, at, e) == 0)
		return 0;
	if (strchr(at, '/'))
		return error_hint(e, "a Unix socket is written unix:%s", at);
	if (strcmp(at, "*") == 0)
		return error_hint(e, "every address needs a port, too: %s:PORT", word);
	if (!*at || all_digits(at))
		return -1;
	if (strchr(at, ','))
		return error_hint(e, "leave \"%s\" out", strchr(at, ','));
	return error_hint(e, "if it is a host, write %s:PORT", word);
}

/* Is this an IPv6 address, whatever its zone? */
static bool is_v6(const char *text, size_t length)
{
	const char *percent = memchr(text, '%', length);
	struct address a;

	return address_read(&a, text, percent ? (size_t)(percent - text) : length) &&
	       a.any.sa_family == AF_INET6;
}

/* What stands in brackets, as ep->host: `at`. */
static int literal_check(const struct endpoint *ep, const char *word, const char *at,
			 struct error *e)
{
	const char *percent = strchr(ep->host, '%');
	struct address a;

	if (!is_v6(ep->host, strlen(ep->host)))
		return error_in_word(e, word, at, "brackets hold an IPv6 address");
	if (endpoint_addresses(ep, &a, 1) < 1) {
		error_in_word(e, word, at + (percent ? percent + 1 - ep->host : 0),
			      "no interface has this name");
		return error_hint(e, "`ip link` lists those there are");
	}
	if (!IN6_IS_ADDR_LINKLOCAL(&a.v6.sin6_addr) || a.v6.sin6_scope_id)
		return 0;
	error_in_word(e, word, at + strlen(ep->host), "a link-local address needs its interface");
	return error_hint(e, "as in [%s%%eth0]:%u; `ip link` lists those there are", ep->host,
			  ep->port);
}

/* `[V6]:PORT`: `at` is the bracket. */
static int bracket_parse(struct endpoint *ep, const char *word, const char *at, struct error *e)
{
	const char *end = strchr(at, ']');

	if (!end) {
		error_in_word(e, word, at, "this bracket is never closed");
		return error_hint(e, "for example [::1]:80");
	}
	if (end[1] != ':')
		return error_in_word(e, word, end + 1, "a port is missing, as in [::1]:80");
	if (port_parse(ep, word, end + 2, e) < 0)
		return -1;
	ep->host = strndup(at + 1, (size_t)(end - at - 1));
	if (!ep->host)
		return error_errno(e, "out of memory");
	if (literal_check(ep, word, at + 1, e) == 0)
		return 0;
	free(ep->host);
	ep->host = NULL;
	return -1;
}

/* More than one colon, and no brackets. */
static int colons_explain(const char *word, const char *at, const char *last, struct error *e)
{
	bool before = is_v6(at, (size_t)(last - at));

	if (!before && !is_v6(at, strlen(at)))
		return error_in_word(e, word, last, "a colon too many: HOST:PORT has one");
	error_in_word(e, word, at, "an IPv6 address is written in brackets");
	if (before)
		return error_hint(e, "as in [%.*s]:%s", (int)(last - at), at, last + 1);
	return error_hint(e, "as in [%s]:PORT", at);
}

/* An address of socat(1): `TCP4-LISTEN:8080,fork`. */
struct socat_kind {
	const char *name, *prefix; /* of ours; NULL: it is a command */
	bool has_port;
};

/* NULL: it is none. */
static const struct socat_kind *socat_find(const char *at)
{
	static const struct socat_kind kinds[] = {{"TCP", "", true},
						  {"UDP", "udp:", true},
						  {"UNIX", "unix:", false},
						  {"EXEC", NULL, false},
						  {"SYSTEM", NULL, false}};
	size_t length = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ46-");

	for (size_t i = 0; at[length] == ':' && i < ARRAY_LENGTH(kinds); i++)
		if (strncmp(at, kinds[i].name, strlen(kinds[i].name)) == 0)
			return &kinds[i];
	return NULL;
}

static int socat_explain(const struct socat_kind *kind, const char *word, const char *at,
			 struct error *e)
{
	const char *rest = strchr(at, ':') + 1;
	int length = (int)strcspn(rest, ",");

	error_in_word(e, word, at, "this is an address of socat");
	if (!kind->prefix)
		return error_hint(e, "a command comes after --: -- %s", rest);
	if (kind->has_port && all_digits_until(rest, ','))
		return error_hint(e, "write %s*:%.*s; %s%.*s listens on this machine only",
				  kind->prefix, length, rest, kind->prefix, length, rest);
	return error_hint(e, "write %s%.*s", kind->prefix, length, rest);
}

/* What others would write. */
static int scheme_explain(const char *word, const char *at, struct error *e)
{
	const char *slashes = strstr(at, "://");

	if (slashes) {
		error_in_word(e, word, at, "a URL is no endpoint");
		return error_hint(e, "HOST:PORT, without %.*s", (int)(slashes + 3 - at), at);
	}
	error_in_word(e, word, at, "TCP is written without a prefix");
	return error_hint(e, "write %s", at[4] ? at + 4 : "HOST:PORT");
}

/* `PORT`, `HOST:PORT`, `[V6]:PORT`, `*:PORT` at `at`. */
static int internet_parse(struct endpoint *ep, const char *word, const char *at, struct error *e)
{
	const struct socat_kind *socat = socat_find(at);
	const char *colon = strrchr(at, ':');

	if (*at == '[')
		return bracket_parse(ep, word, at, e);
	if (socat)
		return socat_explain(socat, word, at, e);
	if (strstr(at, "://") || strncmp(at, "tcp:", 4) == 0)
		return scheme_explain(word, at, e);
	if (!colon)
		return port_alone_parse(ep, word, at, e);
	if (strchr(at, ':') != colon)
		return colons_explain(word, at, colon, e);
	if (colon == at) {
		error_in_word(e, word, at, "a host is missing before the colon");
		return error_hint(e,
				  "write %s for this machine, HOST%s for another; to listen on "
				  "every address, *%s",
				  at + 1, at, at);
	}
	/* getaddrinfo(3) would read it as an address, as 0 is one: docker publishes 8080:80. */
	if (all_digits_until(at, ':') && strncmp(at, "0:", 2) != 0) {
		error_in_word(e, word, at, "a host is a name or an address, and no number");
		return error_hint(e, "as in 127.0.0.1%s", colon);
	}
	for (const char *s = at; s < colon; s++)
		if (isspace((unsigned char)*s) || iscntrl((unsigned char)*s) || *s == '/')
			return error_in_word(e, word, s, "a host name cannot hold this character");
	if (port_parse(ep, word, colon + 1, e) < 0)
		return -1;
	ep->host = strndup(at, (size_t)(colon - at));
	return ep->host ? 0 : error_errno(e, "out of memory");
}

static int unix_parse(struct endpoint *ep, const char *word, const char *at, struct error *e)
{
	const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	if (!*at || strcmp(at, "@") == 0)
		return error_in_word(e, word, at, "a path is missing");
	if (strlen(at) > most + (*at == '@')) {
		error_set(e, "\"%s\": the path is %zu bytes long, and a socket's may have %zu",
			  word, strlen(at), most);
		error_hint(e, "use a relative path, or a shorter directory such as /run");
		return error_at(e, -1, (int)(at - word));
	}
	ep->path = strdup(at);
	return ep->path ? 0 : error_errno(e, "out of memory");
}

static bool vsock_number(const char *text, uint32_t *n)
{
	uint64_t value;

	if (strcmp(text, "*") == 0) {
		*n = UINT32_MAX;
		return true;
	}
	if (!number_read(text, UINT32_MAX - 1, &value))
		return false;
	*n = (uint32_t)value;
	return true;
}

static int vsock_parse(struct endpoint *ep, const char *word, const char *at, struct error *e)
{
	const char *colon = strchr(at, ':');
	char cid[16];

	if (!colon || colon == at)
		return error_in_word(e, word, at, "written vsock:CID:PORT, as in vsock:2:1024");
	if ((size_t)(colon - at) >= sizeof cid)
		return error_in_word(e, word, at, "a context id is a number, or * for any");
	memcpy(cid, at, (size_t)(colon - at));
	cid[colon - at] = '\0';
	if (!vsock_number(cid, &ep->cid))
		return error_in_word(e, word, at, "a context id is a number, or * for any");
	if (!vsock_number(colon + 1, &ep->vsock_port))
		return error_in_word(e, word, colon + 1, "a vsock port is a number");
	return 0;
}

static int fd_parse(struct endpoint *ep, const char *word, const char *at, struct error *e)
{
	uint64_t n;

	if (!number_read(at, INT32_MAX, &n))
		return error_in_word(e, word, at,
				     "the number of an inherited descriptor, as in fd:3");
	ep->fd = (int)n;
	return 0;
}

static int systemd_parse(struct endpoint *ep, const char *word, const char *at, struct error *e)
{
	if (!*at)
		return error_in_word(e, word, at,
				     "a socket's name is missing (FileDescriptorName=)");
	ep->path = strdup(at);
	return ep->path ? 0 : error_errno(e, "out of memory");
}

static const struct scheme {
	const char *prefix;
	enum endpoint_kind kind;
	int (*parse)(struct endpoint *ep, const char *word, const char *at, struct error *e);
} schemes[] = {
    {"unix:", ENDPOINT_UNIX, unix_parse},          {"udp:", ENDPOINT_UDP, internet_parse},
    {"vsock:", ENDPOINT_VSOCK, vsock_parse},       {"fd:", ENDPOINT_FD, fd_parse},
    {"systemd:", ENDPOINT_SYSTEMD, systemd_parse},
};

static int word_parse(struct endpoint *ep, const char *word, struct error *e)
{
	if (!*word)
		return error_set(e, "an endpoint is missing (as in 7000, HOST:80, unix:/run/x)");
	for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
		size_t n = strlen(schemes[i].prefix);

		if (strncmp(word, schemes[i].prefix, n) == 0) {
			ep->kind = schemes[i].kind;
			return schemes[i].parse(ep, word, word + n, e);
		}
	}
	return internet_parse(ep, word, word, e);
}

static void word_add(struct buf *out, const struct endpoint *ep)
{
	struct address a;

	switch (ep->kind) {
	case ENDPOINT_UNIX:
	case ENDPOINT_VSOCK:
		endpoint_addresses(ep, &a, 1);
		buf_add_text(out, address_text(&a).text);
		return;
	case ENDPOINT_FD:
		buf_printf(out, "fd:%d", ep->fd);
		return;
	case ENDPOINT_SYSTEMD:
		buf_printf(out, "systemd:%s", ep->path);
		return;
	case ENDPOINT_UDP:
		buf_add_text(out, "udp:");
		break;
	case ENDPOINT_TCP:
		break;
	}
	if (ep->host)
		buf_printf(out, strchr(ep->host, ':') ? "[%s]:" : "%s:", ep->host);
	buf_printf(out, "%u", ep->port);
}

int endpoint_parse(struct endpoint *ep, const char *word, struct error *e)
{
	struct buf canonical = {0};

	*ep = (struct endpoint){.kind = ENDPOINT_TCP, .fd = -1};
	if (word_parse(ep, word, e) < 0)
		return -1;
	word_add(&canonical, ep);
	ep->word = buf_take(&canonical);
	if (ep->word)
		return 0;
	endpoint_release(ep);
	return error_errno(e, "out of memory");
}
