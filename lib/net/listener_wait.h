/* Private to net: what stands in a listener's way may go by itself, and is waited for. */
#ifndef EVWATCH_NET_LISTENER_WAIT_H
#define EVWATCH_NET_LISTENER_WAIT_H

#include <stdbool.h>

struct address;

/*
 * After a failure to bind, with its errno: waits a little and is true when that may have helped. An
 * address in use is waited for a second altogether, a tentative one (listener_is_tentative) for
 * five. *tries begins with 0.
 */
bool listener_try_again(const struct address *a, int *tries);

/* Is this IPv6 address still looked at for duplicates, and so not to be bound yet? */
bool listener_is_tentative(const struct address *a);

/*
 * Is this a Unix socket that nobody serves? Only a refused connection says so for sure; one whose
 * process is gone is looked at for up to a second.
 */
bool listener_is_dead(const struct address *a);

#endif
