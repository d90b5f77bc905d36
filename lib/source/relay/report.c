/* See report.h. */
#include "source/relay/report.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/units.h"
#include "source/relay/relay.h"

static const struct endpoint *target_of(const struct relay_source *s, const struct carried *c)
{
	return &((const struct relay_config *)s->base.config)->targets[c->target];
}

void report_event(struct relay_source *s, const char *name, const struct carried *c)
{
	struct event event = event_make(name);
	struct buf remote = {0}, target = {0};
	struct detail details[2];

	if (!s->base.printed)
		return;
	address_add(&remote, c->remote);
	endpoint_add(&target, target_of(s, c));
	details[0] = (struct detail){"EVWATCH_REMOTE_ADDR", remote.data};
	details[1] = (struct detail){"EVWATCH_TARGET", target.data};
	event.subjects = (const char *const *)&remote.data;
	event.n_subjects = 1;
	event.details = details;
	event.n_details = 2;
	if (!remote.failed && !target.failed)
		s->base.host->emit(&s->base, &event, 1);
	buf_free(&remote);
	buf_free(&target);
}

void report_over(const struct relay_source *s, const struct carried *c, const char *why)
{
	struct buf b = {0};

	if (!log_wants(LOG_INFO))
		return;
	address_add(&b, c->remote);
	buf_add_text(&b, " -> ");
	endpoint_add(&b, target_of(s, c));
	buf_printf(&b, ": %llu bytes to, %llu from, ", (unsigned long long)c->to,
		   (unsigned long long)c->from);
	if (c->lost)
		buf_printf(&b, "%llu datagrams lost, ", (unsigned long long)c->lost);
	duration_add(&b, (clock_read(CLOCK_OF_LOOP) - c->started) / NS_PER_MS * NS_PER_MS);
	log_info(s->base.rule, "%s, %s", b.data ? b.data : "", why);
	buf_free(&b);
}
