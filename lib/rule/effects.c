/* An option that a rule writes must have an effect there: where it has none, it is refused with a
 * cure. */
#include "rule/reading.h"

#include "base/option.h"
#include "source/source.h"

#include <string.h>

/* Is it an option of `table` that has no effect unless what the table configures is done? */
static bool serves_only(const struct option *table, const struct option *o, const struct rule *rule)
{
	if (!option_is_of(table, o) || o->reach == REACH_RULES)
		return false;
	return o->reach != REACH_GATHERED || !rule->type->gathers;
}

/* Is it about the command itself, and not about which events reach it, and when? */
static bool serves_command(const struct option *o, const struct rule *rule)
{
	return serves_only(job_options, o, rule) || serves_only(rule_options, o, rule);
}

/* An event without the subject that is compared would count as one of a subject like all others. */
static int check_by(const struct rule *rule, struct error *e)
{
	const struct source_type *type = rule->type;
	uint64_t most = type->most_subjects ? type->most_subjects(rule->source_config) : 1;

	if (rule->sieve.by <= most)
		return 0;
	error_set(e, "%llu: events of this rule have %llu %s", (unsigned long long)rule->sieve.by,
		  (unsigned long long)most, most == 1 ? "subject" : "subjects");
	if (strcmp(type->name, "lines") == 0)
		return error_hint(e, "each group of --match is one more: (...)");
	return most == 1 ? error_hint(e, "without --by that one is compared") : -1;
}

static int check_kind(const struct option *o, const struct rule *rule, struct error *e)
{
	const struct refusal *refusal = kind_refuses(rule->type, o);
	const struct rule_table *table = rule_table_of(o);
	const char *kind = rule->type->name;

	if (refusal) {
		error_set(e, "has no effect with %s: %s", kind, refusal->why);
		return refusal->cure ? error_hint(e, "%s", refusal->cure) : -1;
	}
	if (rule->type->takes_no_command && table && table->of_command &&
	    serves_only(table->options, o, rule)) {
		error_set(e, "has no effect here: %s takes no command", kind);
		return error_hint(e, "\"evwatch %s --help\" lists its options", kind);
	}
	if (o->reach == REACH_BATCHES && !rule->type->gathers) {
		error_set(e, "has no effect here: each event has a run of its own");
		return error_hint(e, "it is for file, whose events come in batches");
	}
	return 0;
}

static int check_command(const struct option *o, const struct rule *rule, struct error *e)
{
	if (!rule->command.count && !rule->own.to &&
	    (serves_only(job_options, o, rule) || o->reach == REACH_COMMAND)) {
		error_set(e, "has no effect without a command");
		if (strcmp(o->name, "timeout") == 0)
			return error_hint(e,
					  "a command comes after \"--\"; --once --within DUR ends "
					  "the wait for an event");
		return error_hint(e, "a command comes after \"--\"");
	}
	if (rule->own.to && serves_command(o, rule) && o->reach != REACH_FLOW &&
	    o->reach != REACH_GATHERED && o->reach != REACH_BATCHES) {
		error_set(e, "has no effect here: the command is that of %s", rule->own.to);
		return error_hint(e, "the rule %s can have it", rule->own.to);
	}
	if (o->reach == REACH_INPUT && rule->type->gives_input)
		return error_set(e, "has no effect here: the connection is the command's input");
	if ((rule->command.count || rule->own.to) && serves_only(print_options, o, rule)) {
		error_set(e, "has no effect here: the events go to the command");
		return error_hint(e, "--stdin json hands them to it as JSON");
	}
	return 0;
}

/* The structure that the option's table fills. */
static const void *config_of(const struct option *o, const struct rule *rule)
{
	const struct rule_table *table = rule_table_of(o);

	return table ? rule_table_config(table, rule) : rule->source_config;
}

static int check_option(const struct option *o, const struct rule *rule, struct error *e)
{
	if (check_kind(o, rule, e) < 0 || check_command(o, rule, e) < 0)
		return -1;
	if (o->check && !(o->reach == REACH_GATHERED && rule->type->gathers) &&
	    o->check(config_of(o, rule), e) < 0)
		return -1;
	return option_is_of(sieve_options, o) && strcmp(o->name, "by") == 0 ? check_by(rule, e) : 0;
}

/* Are there -e or -f beside the rule? Then its options are defaults for the rules there, too. */
static bool gives_further_rules(const struct reading *r)
{
	struct written_option o;

	for (size_t i = 0; r->process && next_option(r, &i, &o); i++)
		if (option_is_of(r->process->table, o.option) &&
		    (o.option->letter == 'e' || o.option->letter == 'f'))
			return true;
	return false;
}

void check_options(struct reading *r, const struct rule *rule)
{
	bool shared = gives_further_rules(r);
	struct written_option o;
	struct error e;

	for (size_t i = 0; next_option(r, &i, &o); i++) {
		if (shared && !option_is_of(rule->type->options, o.option))
			continue;
		error_clear(&e);
		if (check_option(o.option, rule, &e) == 0)
			continue;
		error_of_option(&e, o.option->name);
		fault(r, &r->words[i], &e);
	}
}
