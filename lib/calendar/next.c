/*
 * From local time to instants: where gaps and folds are decided.
 *
 * Time is a run of segments with one offset each (zone.h). Within a segment local time is a plain
 * shift, so the next match is the solver's answer there, if it comes before the segment ends. At
 * its start, a wall-time job that the gap before it swallowed fires; and a wall-time job begins to
 * look only where local time passes what it had reached before. When a match is years ahead, the
 * segments in between are skipped: none of them can hold one.
 */
#include "calendar/spec.h"

#include "calendar/civil.h"
#include "calendar/zone.h"

/* No offset, and no gap or fold, is as long as this: in seconds. */
static const int64_t MARGIN = 2 * SECONDS_A_DAY;

/* Instants outside do not fit into 64 bits of nanoseconds; kept well clear of overflow. */
static const int64_t EARLIEST = -INT64_C(9000000000), LATEST = INT64_C(9214646400);

static int64_t clamp_seconds(int64_t at)
{
	return at < EARLIEST ? EARLIEST : at > LATEST ? LATEST : at;
}

/* How far local time had got (seconds) when the segment began. */
static int64_t local_reached(const struct zone *z, const struct zone_segment *segment)
{
	int64_t reached = INT64_MIN, start = segment->start, limit;

	if (start < EARLIEST)
		return INT64_MIN;
	limit = start - MARGIN;
	while (start > limit) {
		struct zone_segment before;

		zone_find(z, start - 1, &before);
		if (start + before.offset > reached)
			reached = start + before.offset;
		start = before.start;
	}
	return reached;
}

/* Would a local time of [from, to) seconds match? */
static bool matches_between(const struct calendar *c, int64_t from, int64_t to)
{
	int64_t local;

	return spec_next(c, from * NS, &local) && local < to * NS;
}

/* Does the local time of the instant come twice, here or in the next segment? */
static bool is_repeated(const struct zone *z, const struct zone_segment *s, int64_t at,
			int64_t reached)
{
	int64_t local = floor_div(at, NS) + s->offset;
	struct zone_segment after;

	if (local < reached)
		return true;
	if (s->end > LATEST || floor_div(at, NS) < s->end - MARGIN)
		return false;
	zone_find(z, s->end, &after);
	return after.offset < s->offset && local >= s->end + after.offset;
}

/* One segment: the first answer strictly after `after` in it. */
static bool segment_next(const struct calendar *c, const struct zone *z,
			 const struct calendar_policy *policy, const struct zone_segment *s,
			 int64_t after, struct calendar_time *next, int64_t *candidate)
{
	int64_t start = clamp_seconds(s->start), end = clamp_seconds(s->end);
	int64_t reached = local_reached(z, s), offset = s->offset;
	int64_t from = (after < start * NS ? start * NS : after + 1) + offset * NS;
	bool once = c->wall && policy->fold == FOLD_ONCE;

	next->mark = MARK_NONE;
	if (c->wall && policy->gap == GAP_RUN && after < start * NS && reached != INT64_MIN &&
	    reached < start + offset && matches_between(c, reached, start + offset)) {
		*next = (struct calendar_time){start * NS, MARK_GAP};
		return true;
	}
	/* Asked from inside the second copy, the first is unseen: what is still ahead comes. */
	if (once && after < start * NS && reached != INT64_MIN && from < reached * NS)
		from = reached * NS;
	if (!spec_next(c, from, candidate)) {
		*candidate = INT64_MAX;
		return false;
	}
	if (*candidate >= (end + offset) * NS)
		return false;
	next->at = *candidate - offset * NS;
	if (c->wall && is_repeated(z, s, next->at, reached))
		next->mark = MARK_FOLD;
	return true;
}

static bool fixed_next(const struct calendar *c, int64_t after, struct calendar_time *next)
{
	next->at = c->moment * NS;
	next->mark = MARK_NONE;
	return next->at > after;
}

bool calendar_next(const struct calendar *c, const struct zone *z,
		   const struct calendar_policy *policy, int64_t after, struct calendar_time *next)
{
	struct zone_segment segment;
	int64_t at, candidate;

	if (c->fixed && c->utc)
		return fixed_next(c, after, next);
	if (after >= LATEST * NS)
		return false;
	after = after < EARLIEST * NS ? EARLIEST * NS : after;
	at = floor_div(after, NS);
	for (;;) {
		int64_t ahead;

		zone_find(z, at, &segment);
		if (segment_next(c, z, policy, &segment, after, next, &candidate))
			return true;
		if (segment.end >= LATEST)
			return false;
		/* Nothing matches from where the look began to `candidate`; a fold can bring back
		 * what came before only when the segment ends soon after. */
		ahead = candidate == INT64_MAX ? LATEST : floor_div(candidate, NS) - MARGIN;
		if (ahead > segment.end && segment.end - MARGIN > at)
			at = ahead;
		else
			at = segment.end;
	}
}
