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

int privileges_find(struct user *u, const struct process_options *o, const struct rules *rules,
		    struct error *e)
{
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
