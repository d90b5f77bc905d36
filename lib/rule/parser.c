/* One rule from its words. See parser.h and reading.h. */
#include "rule/parser.h"

#include "base/array.h"
#include "base/option.h"
#include "base/table.h"
#include "base/text.h"
#include "calendar/zone.h"
#include "rule/explain.h"
#include "rule/foreign.h"
#include "rule/reading.h"
#include "source/source.h"

#include <stdlib.h>
#include <string.h>

enum { PARALLEL_JOBS = 40 }; /* --on-busy parallel without --jobs */

static const struct source_type *read_kind(struct reading *r, const struct word *word)
{
	const struct source_type *type = source_type_find(word->text);

	if (!type)
		fault_kind(r, word);
	return type;
}

static struct rule *rule_new(const struct source_type *type, const struct script *script)
{
	struct rule *rule = calloc(1, sizeof *rule);

	if (!rule)
		return NULL;
	rule->type = type;
	rule->script = script;
	rule->source_config = calloc(1, type->config_size ? type->config_size : 1);
	if (!rule->source_config) {
		rule_free(rule);
		return NULL;
	}
	if (type->config_init)
		type->config_init(rule->source_config);
	job_config_init(&rule->job);
	return rule;
}

static int read_times(struct reading *r, struct rule *rule, char *const *words, struct error *e)
{
	struct rules *rules = r->rules;

	if (!rules->zones)
		rules->zones = zone_set_new();
	if (!rules->zones)
		return error_errno(e, "out of memory");
	return rule->type->config_times(rule->source_config, words, rules->zones, e);
}

static int read_meaning(struct reading *r, struct rule *rule, char **words, size_t n,
			struct error *e)
{
	const struct source_type *type = rule->type;

	if (type->config_times)
		return read_times(r, rule, words, e);
	return type->config_arguments ? type->config_arguments(rule->source_config, words, n, e)
				      : 0;
}

static void read_arguments(struct reading *r, struct rule *rule, const struct word *kind,
			   const struct word **args, size_t n)
{
	const struct source_type *type = rule->type;
	char **texts = calloc(n + 1, sizeof *texts);
	struct error e;

	if (!texts) {
		fault_memory(r);
		return;
	}
	for (size_t i = 0; i < n; i++)
		texts[i] = args[i]->text;
	error_clear(&e);
	if (n < (size_t)type->least_arguments) {
		error_set(&e, n ? "%s needs %s: only \"%s\" is given" : "%s needs %s", type->name,
			  type->arguments, texts[0]);
		error_hint(&e, "for example: %s", type->examples[0]);
		for (size_t i = 0; i < r->count; i++)
			if (strcmp(r->words[i].text, "-1") == 0)
				error_hint(&e, "-1 is the option --once; for example: %s",
					   type->examples[0]);
		fault(r, kind, &e);
	} else if (type->most_arguments >= 0 && n > (size_t)type->most_arguments) {
		if (type->most_arguments)
			error_set(&e, "%s takes one %s: \"%s\" is one too many", type->name,
				  type->arguments, texts[type->most_arguments]);
		else
			error_set(&e, "%s takes no words before --", type->name);
		foreign_arguments(&e, type->name, texts, n);
		fault(r, args[type->most_arguments], &e);
	} else if (read_meaning(r, rule, texts, n, &e) < 0) {
		foreign_port(&e, texts, n);
		if (e.word >= 0 && (size_t)e.word < n)
			fault(r, args[e.word], &e);
		else
			fault_of_rule(r, kind, &e);
	}
	free(texts);
}

/* --socket: what a shell starts has another process id than LISTEN_PID says, unless it execs. */
static void doubt_socket(struct reading *r, const struct rule *rule, const struct word *kind)
{
	const char *text = rule->command.count ? rule->command.words[0] : "";
	struct error e;

	if (!rule->own.sockets.count || !rule->command.shell || !text_needs_shell(text) ||
	    strstr(text, "exec "))
		return;
	error_set(&e,
		  "warning: --socket: the shell starts the server, which is not LISTEN_PID then");
	error_hint(&e, "write exec before the server, as in: exec ./server");
	diagnostics_add(&r->rules->doubts, r->script, kind->offset, &e);
}

static uint64_t default_jobs(const struct rule *rule)
{
	uint64_t least = rule->type->jobs ? rule->type->jobs(rule->source_config) : 0;

	if (rule->job.on_busy != BUSY_PARALLEL)
		return 1;
	return least > PARALLEL_JOBS ? least : PARALLEL_JOBS;
}

/* Fills in what the kind says where the user said nothing, and checks all together. */
static void settle(struct reading *r, struct rule *rule, const struct word *kind)
{
	struct error e;

	if (rule->job.on_busy < 0)
		rule->job.on_busy = rule->type->default_on_busy;
	rule->job.ends_whole = rule->type->ends_whole;
	if (rule->job.jobs == 0)
		rule->job.jobs = default_jobs(rule);
	if (rule->command.count && rule->type->takes_no_command) {
		error_set(&e, "%s takes no command", rule->type->name);
		error_hint(&e, "leave it out; listen runs a command for each connection");
		fault(r, kind, &e);
	}
	if (!rule->command.count && !rule->own.to && rule->type->needs_command &&
	    !(r->failed && rule->type->most_arguments == 0)) { /* it may be among the arguments */
		error_set(&e, "%s needs a command", rule->type->name);
		error_hint(&e, "for example: %s", rule->type->examples[0]);
		fault(r, kind, &e);
	}
	if (rule->own.to && rule->command.count) {
		error_option(&e, "to", ": the rule has a command of its own");
		error_hint(&e, "a rule hands its events to one command only: write two rules");
		fault_of_rule(r, kind, &e);
	}
	if (rule->job.each && rule->sieve.quiet_for) {
		error_option(&e, "each", "cannot be used with --quiet-for: a silence has no path");
		fault_of_rule(r, kind, &e);
	}
	if (rule->print.format && format_check(rule->print.format, &e) < 0)
		fault_of_rule(r, kind, &e);
	if (rule->print.json && rule->print.format) {
		error_option(&e, "json", "and --format cannot be used together");
		fault_of_rule(r, kind, &e);
	}
}

static int rules_add(struct rules *rules, struct rule *rule)
{
	if (ARRAY_GROW(rules->items, rules->capacity, rules->count + 1) < 0)
		return -1;
	rules->items[rules->count++] = rule;
	return 0;
}

static void rule_scopes(struct reading *r, struct rule *rule)
{
	r->given = &rule->given;
	r->scopes = (struct scopes){.type = rule->type};
	scopes_add(&r->scopes, rule->type->options, rule->source_config);
	scopes_add_rule(&r->scopes, rule);
	if (r->process)
		scopes_add(&r->scopes, r->process->table, r->process->config);
}

/* For faults that show when all rules are read. */
static void keep_places(struct reading *r, struct rule *rule, const struct word *kind,
			const struct word **args, size_t n)
{
	const struct error to = {.option = "to"};

	rule->to_offset = offset_of_rule(r, kind, &to);
	if (!rule->type->names_rules)
		return;
	rule->name_offsets = calloc(n + 1, sizeof *rule->name_offsets);
	if (!rule->name_offsets)
		fault_memory(r);
	for (size_t i = 0; rule->name_offsets && i < n; i++)
		rule->name_offsets[i] = args[i]->offset;
}

/* All words but the kind: options are applied, the rest are the kind's arguments. */
static void read_words(struct reading *r, struct rule *rule, size_t kind)
{
	const struct word **args = calloc(r->count + 1, sizeof *args);
	struct error e;
	size_t n = 0;

	if (!args) {
		fault_memory(r);
		return;
	}
	for (size_t i = 0; i < r->count; i++) {
		if (r->process && foreign_number(rule->type->name, &r->words[i], r->count - i))
			fault_number(r, &r->words[i]);
		else if (is_option(&r->words[i]))
			read_option(r, &i);
		else if (r->process && look_alike_check(r->words[i].text, &e) < 0)
			fault_at(r, r->words[i].offset, &e);
		else if (i != kind)
			args[n++] = &r->words[i];
	}
	/* Arguments are read with the options: a fault there would be reported twice. */
	if (!r->failed)
		read_arguments(r, rule, &r->words[kind], args, n);
	if (!r->failed)
		check_options(r, rule);
	if (!r->failed)
		keep_places(r, rule, &r->words[kind], args, n);
	if (!r->failed)
		note_doubts(r, rule, &r->words[kind]);
	doubt_socket(r, rule, &r->words[kind]);
	free(args);
}

/* Keeps what makes it this rule: the words, after the defaults that were noted already. */
static void keep_identity(struct reading *r, struct rule *rule)
{
	for (size_t i = 0; i < r->count; i++)
		identify(r, r->words[i].text);
	identify(r, rule->command.shell ? "-- text" : "--");
	for (size_t i = 0; i < rule->command.count; i++)
		identify(r, rule->command.words[i]);
	rule->identity_length = r->identity.length;
	rule->identity = buf_take(&r->identity);
	if (rule->identity)
		rule->identity_hash = hash_bytes(rule->identity, rule->identity_length);
	else
		fault_memory(r);
}

int read_rule(struct reading *r, size_t kind, char *name, struct command *command,
	      const struct defaults *defaults)
{
	const struct source_type *type = read_kind(r, &r->words[kind]);
	struct rule *rule = type ? rule_new(type, r->script) : NULL;

	if (!rule) {
		if (type)
			fault_memory(r);
		free(name);
		command_free(command);
		return -1;
	}
	rule->name = name;
	rule->named = name != NULL;
	rule->offset = r->words[0].offset;
	rule->command = *command;
	rule_scopes(r, rule);
	apply_defaults(r, defaults);
	keep_identity(r, rule);
	read_words(r, rule, kind);
	settle(r, rule, &r->words[kind]);
	if (!r->failed && rules_add(r->rules, rule) < 0)
		fault_memory(r);
	r->given = NULL;
	if (r->failed)
		rule_free(rule);
	return r->failed ? -1 : 0;
}
