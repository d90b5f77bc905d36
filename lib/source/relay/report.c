/* See report.h. */
#include "source/relay/report.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/units.h"
#include "source/relay/relayed.h"
#include "source/relay/state.h"
#include "source/relay/workers/place.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/*
 * An event of a connection as plain data, so that a worker can hand it to the loop's process.
 * Workers parse what strangers send: the loop's process takes nothing from them but numbers, which
 * it checks, and an address.
 */
struct relay_event {
	int64_t seconds, nanoseconds; /* of the wall clock */
	struct address remote;
	uint32_t target;
	uint8_t closed;
};

static const char *word_of(const struct relay_source *s, size_t target)
{
	return relay_config(s)->targets[target].word;
}

/* ---- clients --------------------------------------------------------------------------------- */

void report_refused(struct relay_source *s, const struct address *remote, const char *why,
		    bool wrong)
{
	bool loud = wrong && !s->logged_header;

	s->totals->refused++;
	s->logged_header |= wrong;
	if (log_wants(loud ? LOG_WARN : LOG_INFO))
		(loud ? log_warn : log_info)(s->base.rule, "%s is refused: %s",
					     address_text(remote).text, why);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void emit(struct relay_source *s, const struct relay_event *e)
{
	struct address_text remote = address_text(&e->remote), host = address_host(&e->remote);
	struct event event = event_make(e->closed ? "close" : "open");
	uint32_t number = address_port(&e->remote);
	const char *subject = remote.text;
	char port[16];
	const struct detail details[] = {
	    {.name = "EVWATCH_REMOTE_ADDR", .value = host.text},
	    {.name = "EVWATCH_TARGET", .value = word_of(s, e->target)},
	    {.name = "EVWATCH_REMOTE_PORT", .value = port, .number = true},
	};

	snprintf(port, sizeof port, "%u", number);
	event.time = (struct timespec){(time_t)e->seconds, (long)e->nanoseconds};
	event.subjects = &subject;
	event.n_subjects = 1;
	event.details = details;
	event.n_details = number ? 3 : 2; /* a Unix client has none */
	s->base.host->emit(&s->base, &event, 1);
}

void report_event(const struct relayed *c, bool closed)
{
	struct relay_source *s = c->source;
	struct relay_event event = {
	    .remote = relayed_remote(c), .target = c->target, .closed = closed};
	struct timespec now;

	if (!s->base.printed)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	event.seconds = now.tv_sec;
	event.nanoseconds = now.tv_nsec;
	if (!s->place) {
		emit(s, &event);
		return;
	}
	if (channel_say(&s->place->channel, WORKER_EVENT, &event, sizeof event) < 0)
		log_error(s->base.rule, "out of memory: an event is lost");
	if (place_lags(s->place))
		relay_review(s);
}

void report_event_of_worker(struct relay_source *s, const void *bytes, size_t length)
{
	struct relay_event event;

	if (length != sizeof event)
		return;
	memcpy(&event, bytes, sizeof event);
	if (event.target < relay_config(s)->n_targets &&
	    event.remote.length <= sizeof event.remote.storage && event.seconds >= 0 &&
	    event.nanoseconds >= 0 && event.nanoseconds < NS_PER_S)
		emit(s, &event);
}

void report_over(const struct relayed *c, const char *why)
{
	const struct relay_source *s = c->source;
	struct pool_counts *target = &s->totals->targets[c->target];
	struct address remote = relayed_remote(c);
	struct buf b = {0};

	target->to += c->bytes[TO_TARGET];
	target->from += c->bytes[FROM_TARGET];
	if (!log_wants(LOG_INFO))
		return;
	buf_printf(&b, "%s -> %s: %llu bytes to, %llu from, ", address_text(&remote).text,
		   word_of(s, c->target), (unsigned long long)c->bytes[TO_TARGET],
		   (unsigned long long)c->bytes[FROM_TARGET]);
	if (c->lost)
		buf_printf(&b, "%llu datagrams lost, ", (unsigned long long)c->lost);
	duration_add(&b, (clock_read(CLOCK_OF_LOOP) - c->started) / NS_PER_MS * NS_PER_MS);
	log_info(s->base.rule, "%s, %s", b.data ? b.data : "", why);
	buf_free(&b);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void log_totals(const struct relay_source *s)
{
	log_info(s->base.rule, "%llu accepted, %llu refused",
		 (unsigned long long)s->totals->accepted, (unsigned long long)s->totals->refused);
	for (size_t i = 0; i < relay_config(s)->n_targets; i++) {
		const struct pool_counts *t = &s->totals->targets[i];

		log_info(s->base.rule,
			 "%s: chosen %llu times, failed %llu times, %llu bytes to, %llu from",
			 word_of(s, i), (unsigned long long)t->chosen,
			 (unsigned long long)t->failed, (unsigned long long)t->to,
			 (unsigned long long)t->from);
	}
}

void report_ended(struct relay_source *s)
{
	if (!s->stopped || s->ended || s->carrier->busy(s))
		return;
	s->ended = true;
	if (s->carrier != &carrier_workers && log_wants(LOG_INFO))
		log_totals(s); /* each worker tells its own */
	s->base.host->ended(&s->base);
}
