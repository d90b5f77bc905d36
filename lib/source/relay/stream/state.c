/* See state.h. */
#include "source/relay/stream/state.h"

#include "net/proxy_header.h"

#include <string.h>

struct address pair_remote(const struct pair *p)
{
	struct address a = {.length = p->remote_length};

	if (p->header)
		return p->header->source;
	memcpy(&a.storage, p->remote, p->remote_length);
	return a;
}
