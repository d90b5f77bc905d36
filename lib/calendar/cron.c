/*
 * The cron dialect: five fields (minute, hour, day of month, month, day of week), six with seconds
 * first, seven with the year last, or one `@` word. What Vixie cron reads is read the same way; L,
 * W, #, ? and the year are Quartz's.
 */
#include "calendar/cron_field.h"

#include "base/array.h"
#include "base/error.h"
#include "base/text.h"

#include <string.h>
#include <strings.h>

/* Puts what cron_field_read found into its place. */
static void field_store(struct cron_reader *r, bool *wall, bool *restricted)
{
	struct calendar *c = r->c;

	switch (r->id) {
	case SECOND:
		c->seconds = r->bits;
		break;
	case MINUTE:
		c->minutes = r->bits;
		break;
	case HOUR:
		c->hours = (uint32_t)r->bits;
		break;
	case DAY:
		c->days = (uint32_t)r->bits;
		break;
	case MONTH:
		c->months = (uint32_t)r->bits;
		break;
	case WEEKDAY:
		c->weekdays = (uint8_t)((r->bits & 0x7f) | (r->bits >> 7 & 1));
		break;
	default:
		break; /* the years are in c->years */
	}
	if ((r->id == MINUTE || r->id == HOUR) && (r->has_step || r->star))
		*wall = false;
	/* crontab(5): the days are OR-ed only where neither field begins with a star. */
	if (r->id == DAY || r->id == WEEKDAY)
		restricted[r->id == WEEKDAY] = !r->star;
}

static int count_fields(const char *s)
{
	int n = 0;

	for (s += strspn(s, " \t"); *s; s += strspn(s, " \t")) {
		s += strcspn(s, " \t");
		n++;
	}
	return n;
}

/* Of more than five fields the last may be a command, as in a crontab. */
static int hint_command(struct cron_reader *r)
{
	const char *last = strrchr(r->text, ' ');

	if (!last || !strpbrk(last, "./_"))
		return -1;
	return error_hint(r->e, "a command comes after the expression and \"--\"");
}

static bool is_year(const char *word)
{
	return word && strspn(word, "0123456789") == 4 && !word[4];
}

/* What six or seven fields were meant to be: a line of a crontab, or one of a tool that has no
 * seconds, or begins with a zone. */
static int hint_more(struct cron_reader *r, int n)
{
	const char *last = strrchr(r->text, ' ');
	const char *zone = strchr(r->text, '=');

	if (r->id == SECOND && zone && zone < r->text + strcspn(r->text, " "))
		return error_hint(r->e, "the zone is an option: --tz %.*s",
				  (int)strcspn(zone + 1, " "), zone + 1);
	if (n == 6 && r->id == WEEKDAY && last && is_year(last + 1))
		return error_hint(r->e, "six fields begin with seconds: with a year there are "
					"seven");
	return hint_command(r);
}

static int fields_read(struct cron_reader *r)
{
	int n = count_fields(r->text);
	bool wall = true, restricted[2] = {false, false};

	if (n < 5 || n > 7) {
		FAULT(r, r->text + (n > 7 ? strlen(r->text) : 0),
		      "a cron expression has 5 to 7 fields, this one has %d", n);
		return error_hint(r->e, "minute, hour, day of month, month, day of week, as in "
					"'15 3 * * *'; six fields begin with seconds");
	}
	r->c->seconds = 1;
	for (int id = n == 5 ? MINUTE : SECOND; id < (n == 7 ? FIELDS : YEAR); id++) {
		r->at += strspn(r->at, " \t");
		if (cron_field_read(r, (enum field_id)id) < 0)
			return n > 5 && !*r->e->hint ? hint_more(r, n) : -1;
		field_store(r, &wall, restricted);
	}
	r->c->wall = wall;
	r->c->either = restricted[0] && restricted[1];
	return 0;
}

static int explain_word(struct cron_reader *r)
{
	static const char *const words[] = {"@yearly", "@annually", "@monthly",
					    "@weekly", "@daily",    "@midnight",
					    "@hourly", "@reboot",   NULL};
	const char *near = nearest_word(r->at, words);

	FAULT(r, r->at, "there is no \"%s\"", r->at);
	if (near)
		return error_hint(r->e, "did you mean %s?", near);
	return error_hint(r->e,
			  "@hourly @daily @midnight @weekly @monthly @yearly @annually @reboot");
}

static int word_read(struct cron_reader *r)
{
	static const struct {
		const char *word, *fields;
	} words[] = {
	    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
	    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
	    {"@hourly", "0 * * * *"},
	};
	size_t length = strcspn(r->at, " \t"), rest = strspn(r->at + length, " \t");

	if (r->at[length + rest] && strncmp(r->at, "@every", length) == 0) {
		FAULT(r, r->at, "there is no @every in a cron expression");
		return error_hint(r->e, "it is a kind: every %s", r->at + length + rest);
	}
	if (r->at[length + rest])
		return FAULT(r, r->at + length + rest, "nothing can follow an @ word");
	if (length == 7 && strncasecmp(r->at, "@reboot", 7) == 0) {
		r->c->reboot = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
		if (strlen(words[i].word) == length &&
		    strncasecmp(r->at, words[i].word, length) == 0) {
			r->text = r->at = words[i].fields;
			return fields_read(r);
		}
	return explain_word(r);
}

struct calendar *calendar_parse_cron(const char *text, struct error *e)
{
	struct cron_reader r = {.text = text, .at = text + strspn(text, " \t"), .e = e};

	r.c = calendar_new();
	if (!r.c) {
		error_errno(e, "out of memory");
		return NULL;
	}
	if ((*r.at == '@' ? word_read(&r) : fields_read(&r)) < 0) {
		calendar_free(r.c);
		return NULL;
	}
	calendar_settle(r.c);
	return r.c;
}
