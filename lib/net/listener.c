/* See listener.h. */
#include "net/listener.h"

#include "net/listener_inherit.h"
#include "net/listener_ip.h"
#include "net/listener_unix.h"

int listener_open(struct listener *l, const struct endpoint *ep, const struct listen_config *c,
		  struct error *e)
{
	int result;

	*l = (struct listener){0};
	switch (ep->kind) {
	case ENDPOINT_TCP:
	case ENDPOINT_UDP:
		result = listener_open_ip(l, ep, c, e);
		break;
	case ENDPOINT_UNIX:
		result = listener_open_unix(l, ep, c, e);
		break;
	case ENDPOINT_VSOCK:
		result = listener_open_vsock(l, ep, c, e);
		break;
	default:
		result = listener_open_inherited(l, ep, c, e);
	}
	if (result == 0)
		listener_name(l);
	return result;
}
