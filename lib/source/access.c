/* See access.h. */
#include "source/access.h"

#include "address/endpoint.h"
#include "base/error.h"

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
