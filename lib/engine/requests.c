/* See requests.h. */
#include "engine/requests.h"

#include "base/array.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/control.h"
#include "engine/reload.h"
#include "engine/state.h"
#include "rule/rule.h"
#include "source/source.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* One request at work. */
struct request {
	struct engine *engine;
	const struct json_value *body;
	struct armed_rule *rule; /* of requests that name one */
	uint64_t ticket;
	bool waits; /* the answer comes later */
	struct buf *answer;
};

struct request_type {
	const char *name;
	bool of_rule; /* it names one */
	void (*handle)(struct request *r);
};

void request_refuse(struct buf *answer, const char *why, const char *hint)
{
	buf_add_text(answer, "{\"ok\":false,\"error\":");
	json_add_string(answer, why, strlen(why));
	if (hint && *hint) {
		buf_add_text(answer, ",\"hint\":");
		json_add_string(answer, hint, strlen(hint));
	}
	buf_add_text(answer, "}\n");
}

static void refuse(struct request *r, const struct error *e)
{
	request_refuse(r->answer, e->what, e->hint);
}

static void agree(struct request *r)
{
	buf_add_text(r->answer, "{\"ok\":true}\n");
}

/* ---- trigger --------------------------------------------------------------------------------- */

void request_run_ended(struct buf *answer, const struct run_result *result, bool paused)
{
	if (!result) {
		buf_printf(answer, "{\"ok\":true,\"skipped\":true%s}\n",
			   paused ? ",\"paused\":true" : "");
		return;
	}
	buf_printf(answer, "{\"ok\":true,\"run\":%llu,\"status\":%d,\"duration\":%lld.%09lld}\n",
		   (unsigned long long)result->ordinal, result->status,
		   (long long)(result->duration / NS_PER_S),
		   (long long)(result->duration % NS_PER_S));
}

static int check_trigger(const struct request *r, struct error *e)
{
	const struct source_type *type = r->rule->rule->type;

	error_clear(e);
	if (r->engine->phase != ENGINE_RUNNING)
		return error_set(e, "evwatch is stopping");
	if (type->takes_no_command)
		return error_set(e, "a %s rule has nothing to run", type->name);
	if (type->gives_input) {
		error_set(e, "a %s rule runs only for a connection", type->name);
		return error_hint(e, "connect to it");
	}
	return 0;
}

/* The strings of "subjects", NULL where one is no string. The caller frees the array. */
static const char **read_subjects(const struct request *r, size_t *n)
{
	const struct json_value *list = json_get(r->body, "subjects");
	const char **subjects = calloc(list ? list->span : 1, sizeof *subjects);

	*n = 0;
	for (const struct json_value *at = NULL; subjects && (at = json_next(list, at));) {
		if (at->type != JSON_STRING) {
			free(subjects);
			return NULL;
		}
		subjects[(*n)++] = at->text;
	}
	return subjects;
}

static void handle_trigger(struct request *r)
{
	const char **subjects;
	struct error e;
	size_t n;

	if (check_trigger(r, &e) < 0) {
		refuse(r, &e);
		return;
	}
	subjects = read_subjects(r, &n);
	if (!subjects) {
		request_refuse(r->answer, "\"subjects\" is no list of strings", NULL);
		return;
	}
	r->waits = json_flag(r->body, "wait") && r->rule->target;
	armed_trigger(r->rule, subjects, n, r->waits ? r->ticket : 0);
	if (!r->waits)
		agree(r);
	free(subjects);
}

/* ---- the others ------------------------------------------------------------------------------ */

static void handle_status(struct request *r)
{
	status_add(r->answer, r->engine);
}

static void handle_pause(struct request *r)
{
	const struct source_type *type = r->rule->rule->type;
	struct error e;

	if (r->rule->target || type->waits_for_room) {
		armed_pause(r->rule, true);
		log_info(r->rule->rule->name, "paused");
		agree(r);
		return;
	}
	error_set(&e, "a rule of the kind %s without a command cannot be paused", type->name);
	error_hint(&e, "its events cannot wait");
	refuse(r, &e);
}

static void handle_resume(struct request *r)
{
	armed_pause(r->rule, false);
	log_info(r->rule->rule->name, "resumed");
	agree(r);
}

static void handle_stop(struct request *r)
{
	size_t n = r->rule->job ? job_stop_runs(r->rule->job) : 0;

	buf_printf(r->answer, "{\"ok\":true,\"stopped\":%zu}\n", n);
}

static void handle_quit(struct request *r)
{
	log_info(NULL, "quit by the control socket: stopping");
	agree(r);
	engine_finish(r->engine, 128 + SIGTERM, SIGTERM);
}

/* With the errors as people read them, lines and carets included. */
static void add_reloaded(struct buf *answer, const struct reload_outcome *outcome)
{
	if (outcome->changed) {
		buf_printf(answer,
			   "{\"ok\":true,\"unchanged\":%zu,\"added\":%zu,\"removed\":%zu}\n",
			   outcome->unchanged, outcome->added, outcome->removed);
		return;
	}
	buf_add_text(answer, "{\"ok\":false,\"error\":\"the rules stay as they were\"");
	if (outcome->why.length) {
		buf_add_text(answer, ",\"details\":");
		json_add_string(answer, outcome->why.data, outcome->why.length);
	}
	buf_add_text(answer, "}\n");
}

static void on_reloaded(struct engine *e, uint64_t ticket, const struct reload_outcome *outcome)
{
	struct buf answer = {0};

	add_reloaded(&answer, outcome);
	control_answer(e->control, ticket, &answer, !outcome->changed);
	buf_free(&answer);
}

static void handle_reload(struct request *r)
{
	r->waits = true;
	engine_reload(r->engine, (struct reload_asker){on_reloaded, r->ticket});
}

static const struct request_type types[] = {
    {"status", false, handle_status}, {"trigger", true, handle_trigger},
    {"pause", true, handle_pause},    {"resume", true, handle_resume},
    {"stop", true, handle_stop},      {"quit", false, handle_quit},
    {"reload", false, handle_reload},
};

/* ---- which one ------------------------------------------------------------------------------- */

static const struct request_type *find_type(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

static void explain_no_rule(const struct engine *engine, const char *name, struct error *e)
{
	const char **names = calloc(engine->n_rules + 1, sizeof *names);
	const char *near;

	error_clear(e);
	error_set(e, "there is no rule \"%s\"", name);
	for (size_t i = 0; names && i < engine->n_rules; i++)
		names[i] = engine->rules[i]->rule->name;
	near = names ? nearest_word(name, names) : NULL;
	if (near)
		error_hint(e, "did you mean %s?", near);
	else
		error_hint(e, "\"evwatch status\" lists the rules");
	free(names);
}

static void dispatch(struct request *r)
{
	const struct request_type *type = find_type(json_text(r->body, "do", ""));
	const char *name = json_text(r->body, "rule", "");
	struct error e;

	if (!type) {
		request_refuse(r->answer, "\"do\" names no request",
			       "status, trigger, pause, resume, stop, quit or reload");
		return;
	}
	if (type->of_rule) {
		r->rule = engine_find(r->engine, name);
		if (!r->rule) {
			explain_no_rule(r->engine, name, &e);
			refuse(r, &e);
			return;
		}
	}
	type->handle(r);
}

bool request_handle(struct engine *engine, char *line, size_t length, uint64_t ticket,
		    struct buf *answer)
{
	struct request r = {.engine = engine, .ticket = ticket, .answer = answer};
	struct json json = {0};
	struct error e;

	if (json_read(&json, line, length, &e) < 0) {
		request_refuse(answer, e.what, NULL);
	} else {
		r.body = json.values;
		dispatch(&r);
	}
	json_free(&json);
	return !r.waits;
}
