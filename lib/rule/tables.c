/* The option tables that every rule has: all that reads, checks, lists or frees options walks
 * these. */
#include "rule/rule.h"

#include "base/option.h"

#define FIELD(name) offsetof(struct rule, name)

const struct rule_table rule_tables[] = {
    {rule_options, FIELD(own), .title = "Options of the rule", .of_command = true},
    {sieve_options, FIELD(sieve), .of_command = true},
    {job_options, FIELD(job), .title = "Options of the command", .of_command = true},
    {print_options, FIELD(print), .title = "Options of printing, without a command"},
    {0},
};

void *rule_table_config(const struct rule_table *t, const struct rule *rule)
{
	return (char *)(uintptr_t)rule + t->offset;
}

const struct rule_table *rule_table_of(const struct option *o)
{
	for (const struct rule_table *t = rule_tables; t->options; t++)
		if (option_is_of(t->options, o))
			return t;
	return NULL;
}
