/* See service.h. */
#include "engine/service.h"

#include "base/buf.h"
#include "base/units.h"
#include "engine/state.h"
#include "process/guard.h"
#include "process/notify.h"

#include <unistd.h>

/* The guardian sends it: that is the process that the manager started. */
static void tell(const struct engine *e, const char *text)
{
	if (!notify_wanted())
		return;
	if (e->config->guard)
		guard_notify(e->config->guard, text);
	else
		notify_send(text);
}

static void tell_ready(const struct engine *e)
{
	struct buf b = {0};
	size_t armed = 0;

	for (size_t i = 0; i < e->n_rules; i++)
		armed += !e->rules[i]->over && !e->rules[i]->retired;
	buf_printf(&b, "READY=1\nSTATUS=%zu %s armed", armed, armed == 1 ? "rule" : "rules");
	if (!b.failed)
		tell(e, b.data);
	buf_free(&b);
}

/* Twice in the time that WATCHDOG_USEC grants. */
static void on_watchdog(struct reactor *r, struct timer *t)
{
	struct engine *e = CONTAINER_OF(t, struct engine, watchdog);

	tell(e, "WATCHDOG=1");
	timer_start_in(r, t, e->watchdog_every);
}

void service_ready(struct engine *e)
{
	timer_init(&e->watchdog, CLOCK_OF_LOOP, on_watchdog);
	e->watchdog_every = notify_watchdog(e->config->guard ? getppid() : getpid()) / 2;
	tell_ready(e);
	if (e->watchdog_every)
		timer_start_in(e->reactor, &e->watchdog, e->watchdog_every);
}

void service_reloading(const struct engine *e)
{
	struct buf b = {0};

	buf_printf(&b, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   (long long)(clock_read(CLOCK_OF_LOOP) / NS_PER_US));
	if (!b.failed)
		tell(e, b.data);
	buf_free(&b);
}

void service_reloaded(const struct engine *e)
{
	tell_ready(e);
}

void service_stopping(const struct engine *e)
{
	tell(e, "STOPPING=1");
}

void service_close(struct engine *e)
{
	if (e->watchdog.call)
		timer_stop(e->reactor, &e->watchdog);
}
