/* See health.h. */
#include "net/health.h"

#include "base/list.h"

/* ---- answers --------------------------------------------------------------------------------- */

/* `why` it is down, or NULL: it is up. */
static void take_answer(struct health *h, const char *why)
{
	enum health_state answer = why ? HEALTH_DOWN : HEALTH_UP;

	h->blind = false;
	/* While nothing is known yet, good and bad ones both differ from it, but not in a row. */
	if (answer != h->last)
		h->in_a_row = 0;
	h->last = answer;
	if (answer == h->state || ++h->in_a_row < (why ? h->config->fall : h->config->rise))
		return;
	h->in_a_row = 0;
	h->state = answer;
	h->call(h->context, answer, why);
}

void health_answer(struct health *h, const char *why, bool is_short)
{
	h->under_way = false;
	/* What we lack ourselves says nothing of who is checked. */
	if (!is_short) {
		take_answer(h, why);
	} else if (!h->blind) {
		h->blind = true;
		h->call(h->context, HEALTH_UNKNOWN, why);
	}
}

static void on_checked(void *context, const char *why, bool is_short)
{
	health_answer(context, why, is_short);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void on_next(struct reactor *r, struct timer *t)
{
	struct health *h = CONTAINER_OF(t, struct health, next);

	timer_start_in(r, t, h->config->interval);
	if (!h->config->begin) {
		check_start(&h->check);
	} else if (!h->under_way) {
		h->under_way = true;
		h->config->begin(h);
	}
}

void health_init(struct health *h, struct reactor *r, struct resolver *v,
		 const struct health_config *c, health_call *call, void *context)
{
	*h = (struct health){.config = c, .reactor = r, .call = call, .context = context};
	check_init(&h->check, r, v, &c->check, on_checked, h);
	timer_init(&h->next, CLOCK_OF_LOOP, on_next);
}

int health_start(struct health *h)
{
	return timer_start_in(h->reactor, &h->next, 0);
}

void health_stop(struct health *h)
{
	if (!h->reactor)
		return; /* it was never made */
	timer_stop(h->reactor, &h->next);
	if (h->under_way)
		h->config->cancel(h);
	h->under_way = false;
	check_stop(&h->check);
}
