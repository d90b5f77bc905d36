/* See printer.h. */
#include "engine/printer.h"

#include "base/array.h"
#include "base/text.h"
#include "base/units.h"
#include "calendar/moment.h"
#include "rule/rule.h"

#include <ctype.h>
#include <string.h>

static const char own_prefix[] = "EVWATCH_";

/* ---- text ------------------------------------------------------------------------------------ */

static void print_text(struct buf *out, const struct event *e)
{
	buf_add_text(out, e->name);
	for (size_t i = 0; i < e->n_subjects; i++) {
		buf_add_char(out, ' ');
		escape_word(out, e->subjects[i], strlen(e->subjects[i]));
	}
	buf_add_char(out, '\n');
}

static void print_nul(struct buf *out, const struct event *e)
{
	buf_add_text(out, e->name);
	if (!e->n_subjects)
		buf_add_char(out, '\0');
	for (size_t i = 0; i < e->n_subjects; i++) {
		buf_add_text(out, i ? "" : " ");
		buf_add(out, e->subjects[i], strlen(e->subjects[i]) + 1);
	}
}

/* ---- formats --------------------------------------------------------------------------------- */

/* A name in a format: blanks stay, so that $(...) gets what it expects; control characters don't.
 */
static void format_text(struct buf *out, const struct print_config *c, const char *text)
{
	if (!text)
		return;
	if (c->nul)
		buf_add_text(out, text);
	else
		escape_control(out, text, strlen(text));
}

static void format_subjects(struct buf *out, const struct print_config *c, const struct event *e,
			    size_t n)
{
	for (size_t i = 0; i < n && i < e->n_subjects; i++) {
		if (i)
			buf_add_char(out, ' ');
		format_text(out, c, e->subjects[i]);
	}
}

static void format_letter(struct buf *out, char letter, const struct print_config *c,
			  const struct print_context *context, const struct event *e)
{
	switch (letter) {
	case 'e':
		buf_add_text(out, e->name);
		break;
	case 's':
		format_subjects(out, c, e, 1);
		break;
	case 'S':
		format_subjects(out, c, e, e->n_subjects);
		break;
	case 'r':
		buf_add_text(out, context->rule);
		break;
	case 'k':
		buf_add_text(out, context->kind);
		break;
	case 't':
		if (context->zone)
			instant_add(out, context->zone,
				    e->time.tv_sec * NS_PER_S + e->time.tv_nsec);
		else
			time_add(out, &e->time);
		break;
	case 'T':
		buf_printf(out, "%lld", (long long)e->time.tv_sec);
		break;
	case 'n':
		buf_printf(out, "%llu", (unsigned long long)context->count);
		break;
	case 'o':
		format_text(out, c, event_detail(e, "EVWATCH_OLD_PATH"));
		break;
	default: /* %% */
		buf_add_char(out, letter);
	}
}

/* The character that \X stands for in a format, or -1. */
static int format_escape(char c)
{
	static const char names[] = "nt0\\", values[] = "\n\t\0\\";
	const char *at = c ? strchr(names, c) : NULL;

	return at ? values[at - names] : -1;
}

/* A record ends with a line break (-0: NUL) unless the format says how it ends. */
static void print_format(struct buf *out, const struct print_config *c,
			 const struct print_context *context, const struct event *e)
{
	bool ended = false;

	for (const char *f = c->format; *f; f++) {
		ended = false;
		if (*f == '%' && f[1]) {
			format_letter(out, *++f, c, context, e);
		} else if (*f == '\\' && format_escape(f[1]) >= 0) {
			int escaped = format_escape(*++f);

			buf_add_char(out, (char)escaped);
			ended = escaped == '\n' || escaped == '\0';
		} else {
			buf_add_char(out, *f);
			ended = *f == '\n';
		}
	}
	if (!ended)
		buf_add_char(out, c->nul ? '\0' : '\n');
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* As JSON has numbers: no zero before other digits. */
static bool is_number(const char *value)
{
	const char *digits = *value == '-' ? value + 1 : value;

	return isdigit((unsigned char)*digits) &&
	       (*digits != '0' || !isdigit((unsigned char)digits[1])) &&
	       !digits[strspn(digits, "0123456789.")];
}

static void json_key(struct buf *out, const char *name, const char *suffix)
{
	buf_add_text(out, ",\"");
	for (; *name; name++)
		buf_add_char(out, (char)tolower((unsigned char)*name));
	buf_printf(out, "%s\":", suffix);
}

static void json_detail(struct buf *out, const struct detail *d)
{
	const char *own = d->name + sizeof own_prefix - 1, *value = d->value;
	size_t length = strlen(value);

	json_key(out, own, "");
	if (d->number && is_number(value))
		buf_add_text(out, value);
	else
		json_add_string(out, value, length);
	if (utf8_valid(value, length))
		return;
	json_key(out, own, "_base64");
	buf_add_char(out, '"');
	base64_add(out, value, length);
	buf_add_char(out, '"');
}

static void print_json(struct buf *out, const struct print_context *context, const struct event *e)
{
	buf_printf(out, "{\"time\":%lld.%09ld,\"rule\":", (long long)e->time.tv_sec,
		   e->time.tv_nsec);
	json_add_string(out, context->rule, strlen(context->rule));
	buf_printf(out, ",\"source\":\"%s\",\"event\":\"%s\",\"count\":%llu,\"subjects\":[",
		   context->kind, e->name, (unsigned long long)context->count);
	for (size_t i = 0; i < e->n_subjects; i++) {
		if (i)
			buf_add_char(out, ',');
		json_add_string(out, e->subjects[i], strlen(e->subjects[i]));
	}
	buf_add_char(out, ']');
	for (size_t i = 0; i < e->n_details; i++) {
		const struct detail *d = &e->details[i];

		if (d->value && strncmp(d->name, own_prefix, sizeof own_prefix - 1) == 0)
			json_detail(out, d);
	}
	buf_add_text(out, "}\n");
}

void event_print(struct buf *out, const struct print_config *config,
		 const struct print_context *context, const struct event *event)
{
	if (config->json)
		print_json(out, context, event);
	else if (config->format)
		print_format(out, config, context, event);
	else if (config->nul)
		print_nul(out, event);
	else
		print_text(out, event);
}
