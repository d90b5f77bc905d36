/* See privileges.h. */
#include "privileges.h"

#include "options.h"

#include "base/error.h"
#include "process/user.h"
#include "rule/rule.h"
#include "source/source.h"

#include <unistd.h>

bool privileges_are_lent(void)
{
	return getuid() != geteuid() || getgid() != getegid();
}

/* What a rule does as root after the start; NULL: nothing. */
static const char *root_of(const struct rule *rule)
{
	if (rule->job.around.run_as)
		return "--run-as";
	if (rule->type->needs_root && rule->type->needs_root(rule->source_config))
		return "--fanotify";
	return NULL;
}

/* Only root runs commands as others; another user learns that before anything is armed. */
static int check_run_as(const struct rules *rules, struct error *e)
{
	for (size_t i = 0; i < rules->count && !user_may_change(); i++) {
		const char *user = rules->items[i]->job.around.run_as;

		if (!user)
			continue;
		error_option(e, "run-as", ": only root can run a command as %s (rule %s)", user,
			     rules->items[i]->name);
		return error_hint(e, "start evwatch as root, or drop --run-as");
	}
	return 0;
}

int privileges_find(struct user *u, const struct process_options *o, const struct rules *rules,
		    struct error *e)
{
	if (check_run_as(rules, e) < 0)
		return -1;
	if (!o->user)
		return 0;
	for (size_t i = 0; i < rules->count; i++) {
		const char *what = root_of(rules->items[i]);

		if (!what)
			continue;
		error_option(e, "user",
			     "and %s cannot be used together: rule %s needs root while it runs",
			     what, rules->items[i]->name);
		return error_hint(
		    e, "drop --user: it is for evwatch itself; --run-as says who runs a command");
	}
	return user_find(u, o->user, "--user", e);
}
