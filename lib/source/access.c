/* See access.h. */
#include "source/access.h"

#include "address/endpoint.h"
#include "base/buf.h"
#include "base/error.h"
#include "net/bound.h"
#include "source/source.h"

int access_allow(void *config, const char *word, struct error *e)
{
	return cidr_list_add(&((struct access *)config)->rules, word, true, e);
}

int access_deny(void *config, const char *word, struct error *e)
{
	return cidr_list_add(&((struct access *)config)->rules, word, false, e);
}

int access_check(const struct endpoint *all, size_t n, struct error *e)
{
	if (endpoints_include(all, n, ENDPOINTS_IP | ENDPOINTS_INHERITED))
		return 0;
	error_set(e, "has no effect here: these peers have no IP address");
	return error_hint(e, "the mode of a Unix socket decides who may connect to it");
}

void access_report_bound(struct source *s, const struct listener *l)
{
	for (int i = 0; i < l->count; i++) {
		struct buf word = {0};

		listener_add_bound(&word, l, i);
		if (word.data)
			s->host->bound(s, word.data);
		buf_free(&word);
	}
}
