/* See config.h. */
#include "source/probe/config.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void probe_config_init(void *config)
{
	struct probe_config *c = config;

	c->interval = c->timeout = NS_PER_S;
	c->rise = c->fall = 1;
	c->least = 200;
	c->most = 399;
}

/* ---- http://HOST[:PORT]/PATH ----------------------------------------------------------------- */

static bool names_port(const char *authority)
{
	const char *bracket = strrchr(authority, ']');

	return strchr(bracket ? bracket : authority, ':') != NULL;
}

/* The part between `http://` and the path, as an endpoint. */
static int parse_authority(struct probe_target *t, const char *word, struct error *e)
{
	char endpoint[300];
	int n =
	    snprintf(endpoint, sizeof endpoint, "%s%s", t->host, names_port(t->host) ? "" : ":80");

	if (n < 0 || (size_t)n >= sizeof endpoint)
		return error_set(e, "\"%s\": the host is too long", word);
	if (strchr(t->host, '@')) {
		error_set(e, "\"%s\": a name or password is not sent", word);
		return error_hint(e, "--of 'curl -fsS URL' may do it");
	}
	if (endpoint_parse(&t->endpoint, endpoint, e) < 0)
		return -1;
	if (t->endpoint.kind == ENDPOINT_TCP &&
	    endpoint_check_target(&t->endpoint, endpoint, e) == 0)
		return 0;
	endpoint_release(&t->endpoint);
	return error_set(e, "\"%s\": it is written http://HOST[:PORT]/PATH", word);
}

static int parse_http(struct probe_target *t, const char *word, struct error *e)
{
	const char *at = word + strlen("http://"), *slash = at + strcspn(at, "/?#");

	for (const char *s = word; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f || *s == '#')
			return error_set(e,
					 "\"%s\": a blank, control character or # cannot be "
					 "sent in a path (write %%20, %%23)",
					 word);
	t->host = strndup(at, (size_t)(slash - at));
	if (*slash == '/')
		t->path = strdup(slash);
	else if (asprintf(&t->path, "/%s", slash) < 0)
		t->path = NULL;
	if (!t->host || !t->path)
		return error_errno(e, "out of memory");
	return parse_authority(t, word, e);
}

/* ---- targets --------------------------------------------------------------------------------- */

static int parse_target(struct probe_target *t, const char *word, struct error *e)
{
	if (strncmp(word, "http://", 7) == 0)
		return parse_http(t, word, e);
	if (strncmp(word, "https://", 8) == 0) {
		error_set(e, "\"%s\": https is not spoken here", word);
		return error_hint(e, "HOST:443 is up when it can be connected to; --of 'curl -fsS "
				     "URL' asks for the page");
	}
	if (endpoint_parse(&t->endpoint, word, e) < 0)
		return -1;
	if (endpoint_check_target(&t->endpoint, word, e) == 0)
		return 0;
	endpoint_release(&t->endpoint);
	e->column = 0;
	return -1;
}

static void target_release(struct probe_target *t)
{
	endpoint_release(&t->endpoint);
	free(t->word);
	free(t->host);
	free(t->path);
	*t = (struct probe_target){0};
}

static int add_target(struct probe_config *c, const char *word, int place, struct error *e)
{
	struct probe_target *t = &c->targets[c->n_targets];

	e->column = 0;
	t->word = strdup(word);
	if (!t->word)
		return error_errno(e, "out of memory");
	if (parse_target(t, word, e) < 0) {
		target_release(t);
		return error_at(e, place, e->column);
	}
	c->n_targets++;
	return 0;
}

int probe_config_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct probe_config *c = config;

	if (!c->interval || !c->timeout)
		return error_option(e, c->interval ? "timeout" : "interval",
				    "must be greater than 0");
	if (n == 0 && !c->of) {
		error_set(e, "probe needs ENDPOINT...");
		return error_hint(e, "for example: evwatch probe db:5432 --once --within 60s");
	}
	if (n > 0 && c->of) {
		error_option(e, "of", "COMMAND is probed instead of an endpoint");
		error_hint(e, "a second rule may probe the other");
		return error_at(e, 0, 0);
	}
	c->targets = calloc(n ? n : 1, sizeof *c->targets);
	if (!c->targets)
		return error_errno(e, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (add_target(c, words[i], (int)i, e) < 0)
			return -1;
	return 0;
}

void probe_config_release(void *config)
{
	struct probe_config *c = config;

	for (size_t i = 0; i < c->n_targets; i++)
		target_release(&c->targets[i]);
	free(c->targets);
}

uint64_t probe_config_most_subjects(const void *config)
{
	const struct probe_config *c = config;

	return c->all ? c->n_targets : 1;
}

void probe_config_describe(const void *config, struct buf *out)
{
	const struct probe_config *c = config;

	if (c->of)
		buf_printf(out, "`%s`", c->of);
	for (size_t i = 0; i < c->n_targets; i++)
		buf_printf(out, "%s%s", !i ? "" : c->all ? " and " : " or ", c->targets[i].word);
	buf_add_text(out, " going up or down");
	if (c->all)
		buf_add_text(out, " together");
	if (c->first)
		buf_add_text(out, ", the first answer included");
}

/* ---- options --------------------------------------------------------------------------------- */

static bool begins_with_status(const char *word)
{
	return strspn(word, "0123456789") == 3;
}

/* `204`, `200-299`. */
static int parse_expect(void *config, const char *word, struct error *e)
{
	struct probe_config *c = config;
	bool is_one = begins_with_status(word) && !word[3];
	bool is_range =
	    begins_with_status(word) && word[3] == '-' && begins_with_status(word + 4) && !word[7];

	c->least = (unsigned)atoi(word);
	c->most = is_range ? (unsigned)atoi(word + 4) : c->least;
	if ((is_one || is_range) && c->least >= 100 && c->most <= 599 && c->least <= c->most)
		return 0;
	error_set(e, "\"%s\" is no status", word);
	return error_hint(e, "as in 204, or 200-299");
}

static int check_expect(const void *config, struct error *e)
{
	const struct probe_config *c = config;

	for (size_t i = 0; i < c->n_targets; i++)
		if (c->targets[i].path)
			return 0;
	error_set(e, "has no effect here: no endpoint is asked by HTTP");
	return error_hint(e, "http://HOST[:PORT]/PATH is");
}

static int check_all(const void *config, struct error *e)
{
	if (((const struct probe_config *)config)->n_targets > 1)
		return 0;
	error_set(e, "has no effect with one endpoint");
	return error_hint(e, "several are one word each: probe db:5432 cache:6379 --all");
}

#define CONFIG struct probe_config

const struct option probe_options[] = {
    OPTION_ROW("interval", DURATION, interval, "DUR", "between two checks (1s)"),
    OPTION_ROW("timeout", DURATION, timeout, "DUR", "for one check (1s)"),
    OPTION_ROW("rise", COUNT, rise, "N", "so many good answers in a row are up (1)", .least = 1),
    OPTION_ROW("fall", COUNT, fall, "N", "so many bad ones are down (1)", .least = 1),
    OPTION_ROW("expect", CUSTOM, least, "STATUS", "of http://: 204, 200-299 (200-399)",
	       .parse = parse_expect, .check = check_expect),
    OPTION_ROW("of", TEXT, of, "COMMAND", "instead of endpoints: up when it exits 0",
	       .in_words = true),
    OPTION_ROW("all", FLAG, all, NULL, "up when all of them are, down when one is not",
	       .in_words = true, .check = check_all),
    OPTION_ROW("first", FLAG, first, NULL, "the first answer is an event, even down",
	       .in_words = true),
    {0},
};
