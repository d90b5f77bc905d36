/* See report.h. */
#include "source/relay/report.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/units.h"
#include "source/relay/state.h"

static const struct endpoint *target_of(const struct relay_source *s, const struct carried *c)
{
	return &((const struct relay_config *)s->base.config)->targets[c->target];
}

/* ---- targets and clients --------------------------------------------------------------------- */

/* Without -v once, until one works again: each connection would tell the same. */
void report_target_failed(struct relay_source *s, size_t target, const char *why, bool last)
{
	const struct relay_config *c = s->base.config;
	struct buf name = {0};
	const char *word;

	s->targets.all[target].failed++;
	endpoint_add(&name, &c->targets[target]);
	word = name.data ? name.data : "a target";
	if (last && !s->told_no_target)
		log_warn(s->base.rule, "no target can be reached: %s: %s", word, why);
	else
		log_info(s->base.rule, "%s: %s", word, why);
	s->told_no_target |= last;
	buf_free(&name);
}

void report_refused(struct relay_source *s, const struct address *remote, const char *why,
		    bool *told)
{
	bool loud = told && !*told;
	struct buf name = {0};

	s->counts.refused++;
	if (loud)
		*told = true;
	if (!log_wants(loud ? LOG_WARN : LOG_INFO))
		return;
	address_add(&name, remote);
	(loud ? log_warn : log_info)(s->base.rule, "%s is refused: %s",
				     name.data ? name.data : "a client", why);
	buf_free(&name);
}

/* ---- connections ----------------------------------------------------------------------------- */

void report_event(struct relay_source *s, const char *name, const struct carried *c)
{
	struct event event = event_make(name);
	struct buf remote = {0}, host = {0}, port = {0}, target = {0};
	struct detail details[3];
	uint32_t number;

	if (!s->base.printed)
		return;
	address_add(&remote, c->remote);
	endpoint_add(&target, target_of(s, c));
	number = address_add_host(&host, c->remote);
	buf_printf(&port, "%u", (unsigned)number);
	details[0] = (struct detail){"EVWATCH_REMOTE_ADDR", host.data ? host.data : ""};
	details[1] = (struct detail){"EVWATCH_TARGET", target.data};
	details[2] = (struct detail){"EVWATCH_REMOTE_PORT", port.data};
	event.subjects = (const char *const *)&remote.data;
	event.n_subjects = 1;
	event.details = details;
	event.n_details = number ? 3 : 2; /* a Unix client has none */
	if (!remote.failed && !host.failed && !port.failed && !target.failed)
		s->base.host->emit(&s->base, &event, 1);
	buf_free(&remote);
	buf_free(&host);
	buf_free(&port);
	buf_free(&target);
}

void report_over(struct relay_source *s, const struct carried *c, const char *why)
{
	struct target *target = &s->targets.all[c->target];
	struct buf b = {0};

	target->to += c->to;
	target->from += c->from;
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

/* ---- the end --------------------------------------------------------------------------------- */

static void target_totals(const struct relay_source *s, size_t i)
{
	const struct relay_config *c = s->base.config;
	const struct target *t = &s->targets.all[i];
	struct buf name = {0};

	endpoint_add(&name, &c->targets[i]);
	log_info(s->base.rule, "%s: chosen %llu times, failed %llu times, %llu bytes to, %llu from",
		 name.data ? name.data : "a target", (unsigned long long)t->chosen,
		 (unsigned long long)t->failed, (unsigned long long)t->to,
		 (unsigned long long)t->from);
	buf_free(&name);
}

void report_totals(const struct relay_source *s)
{
	const struct relay_config *c = s->base.config;

	if (s->carrier == &carrier_workers || !log_wants(LOG_INFO))
		return; /* each worker tells its own */
	log_info(s->base.rule, "%llu accepted, %llu refused",
		 (unsigned long long)s->counts.accepted, (unsigned long long)s->counts.refused);
	for (size_t i = 0; i < c->n_targets; i++)
		target_totals(s, i);
}
