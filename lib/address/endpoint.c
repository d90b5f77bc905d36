/* See endpoint.h: what an endpoint is. endpoint_parse.c reads its word. */
#include "address/endpoint.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- addresses ------------------------------------------------------------------------------- */

static int internet_addresses(const struct endpoint *ep, struct address *out, int room)
{
	bool here = !ep->host || strcasecmp(ep->host, "localhost") == 0;
	const char *host = here ? "127.0.0.1" : strcmp(ep->host, "*") == 0 ? "::" : ep->host;
	int n = address_read(out, host, strlen(host));

	if (here && room > 1)
		n += address_read(out + 1, "::1", 3);
	for (int i = 0; i < n; i++)
		*address_port_field(&out[i]) = htons(ep->port);
	return n;
}

static void address_unix(struct address *a, const char *path)
{
	size_t n = strlen(path);

	memset(a, 0, sizeof *a);
	a->un.sun_family = AF_UNIX;
	memcpy(a->un.sun_path, path, n);
	a->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	if (*path != '@')
		return;
	/* Abstract: the name is exactly the bytes behind the NUL, as many as `length` says. */
	a->un.sun_path[0] = '\0';
	a->length--;
}

int endpoint_addresses(const struct endpoint *ep, struct address *out, int room)
{
	if (room < 1)
		return 0;
	switch (ep->kind) {
	case ENDPOINT_TCP:
	case ENDPOINT_UDP:
		return internet_addresses(ep, out, room);
	case ENDPOINT_UNIX:
		address_unix(out, ep->path);
		return 1;
	case ENDPOINT_VSOCK:
		memset(out, 0, sizeof *out);
		out->vsock.family = AF_VSOCK;
		out->vsock.cid = ep->cid;
		out->vsock.port = ep->vsock_port;
		out->length = sizeof out->vsock;
		return 1;
	case ENDPOINT_FD:
	case ENDPOINT_SYSTEMD:
		break;
	}
	return 0;
}

uint32_t endpoint_interface(const struct endpoint *ep)
{
	const char *percent = ep->host ? strchr(ep->host, '%') : NULL;

	return percent ? address_zone(percent + 1) : 0;
}

/* ---- in general ------------------------------------------------------------------------------ */

void endpoint_release(struct endpoint *ep)
{
	free(ep->host);
	free(ep->path);
	free(ep->word);
	ep->host = ep->path = ep->word = NULL;
}

bool endpoints_include(const struct endpoint *all, size_t n, int kinds)
{
	for (size_t i = 0; i < n; i++)
		if (kinds & 1 << all[i].kind)
			return true;
	return false;
}

int endpoint_check_target(const struct endpoint *ep, const char *word, struct error *e)
{
	if (ep->kind == ENDPOINT_FD || ep->kind == ENDPOINT_SYSTEMD)
		return error_in_word(e, word, word, "an inherited socket can be listened on only");
	if (ep->host && strcmp(ep->host, "*") == 0)
		return error_in_word(e, word, word, "* can be listened on only: name a host");
	if ((ep->kind == ENDPOINT_TCP || ep->kind == ENDPOINT_UDP) && ep->port == 0)
		return error_in_word(e, word, word, "port 0 can be listened on only");
	if (ep->kind == ENDPOINT_VSOCK && (ep->cid == UINT32_MAX || ep->vsock_port == UINT32_MAX))
		return error_in_word(e, word, word, "* can be listened on only");
	return 0;
}

bool endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
	return strcmp(a->word, b->word) == 0;
}
