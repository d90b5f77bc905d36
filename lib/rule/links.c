/* See links.h. */
#include "rule/links.h"

#include "base/error.h"
#include "base/text.h"
#include "rule/rule.h"
#include "source/source.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- names ----------------------------------------------------------------------------------- */

const struct rule *rules_find(const struct rules *rules, const char *name)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->items[i]->name && strcmp(rules->items[i]->name, name) == 0)
			return rules->items[i];
	return NULL;
}

/* A name that this one was meant to be: in other letters, or near; or NULL. */
static const char *near_name(const struct rules *rules, const char *name)
{
	const char **names = calloc(rules->count + 1, sizeof *names);
	const char *near = NULL;

	for (size_t i = 0; names && i < rules->count; i++) {
		names[i] = rules->items[i]->name;
		if (strcasecmp(names[i], name) == 0)
			near = names[i];
	}
	if (names && !near)
		near = nearest_word(name, names);
	free(names);
	return near;
}

static void hint_near(const struct rules *rules, const struct rule *from, const char *what,
		      const char *name, struct error *e)
{
	const char *rule = *what == '-' ? "task -- ./deploy" : "file src -- make";
	const char *near = near_name(rules, name);

	if (near)
		error_hint(e, "did you mean %s?", near);
	else if (strcmp(from->script->name, "command line") == 0)
		error_hint(e, "write both as rules: evwatch -e '%s: %s' -e '%s ...'", name, rule,
			   from->type->name);
	else
		error_hint(e, "a rule's name stands before its kind: %s: %s", name, rule);
}

/* The rule that `word`, at this offset, names, with a command of its own; or NULL with a
 * diagnostic. */
static const struct rule *find_command(struct rules *rules, const struct rule *from,
				       const char *what, const char *word, size_t offset)
{
	const struct rule *found = rules_find(rules, word);
	struct error e;

	error_clear(&e);
	if (found && found->command.count && found != from)
		return found;
	if (found == from) {
		error_set(&e, "%s%s: a rule cannot follow itself", what, word);
	} else if (!found) {
		error_set(&e, "%s%s: there is no rule of this name", what, word);
		hint_near(rules, from, what, word, &e);
	} else if (found->own.to) {
		error_set(&e, "%s%s: this rule has no command: it hands its events to %s", what,
			  word, found->own.to);
		error_hint(&e, "name %s instead", found->own.to);
	} else {
		error_set(&e, "%s%s: this rule has no command", what, word);
		error_hint(&e, "a command comes after \"--\"");
	}
	diagnostics_add(&rules->diagnostics, from->script, offset, &e);
	return NULL;
}

/* Its command reads the connection, which events of other rules have not. */
static int check_target(struct rules *rules, const struct rule *r)
{
	struct error e;

	if (!r->target || !r->target->type->gives_input)
		return 0;
	error_clear(&e);
	error_set(&e, "--to %s: a %s rule runs only for a connection", r->own.to,
		  r->target->type->name);
	error_hint(&e, "a task with the same command takes events");
	diagnostics_add(&rules->diagnostics, r->script, r->to_offset, &e);
	return -1;
}

static int resolve(struct rules *rules, struct rule *r)
{
	const struct text_list *names =
	    r->type->names_rules ? r->type->names_rules(r->source_config) : NULL;
	int result = 0;

	r->target = r->command.count ? r : NULL;
	if (r->own.to) {
		r->target = find_command(rules, r, "--to ", r->own.to, r->to_offset);
		result = r->target ? check_target(rules, r) : -1;
	}
	for (size_t i = 0; names && i < names->count; i++)
		if (!find_command(rules, r, "ended ", names->items[i], r->name_offsets[i]))
			result = -1;
	return result;
}

/* ---- circles --------------------------------------------------------------------------------- */

/* Does `r` wait for the runs of `other`, or for its events? */
static bool waits_for(const struct rule *r, const struct rule *other)
{
	const struct text_list *names =
	    r->type->names_rules ? r->type->names_rules(r->source_config) : NULL;

	if (other->own.to && other->target == r)
		return true;
	for (size_t i = 0; names && i < names->count; i++)
		if (strcmp(names->items[i], other->name) == 0)
			return true;
	return false;
}

/* A rule that is not out yet, and that `r` waits for; or NULL. */
static const struct rule *awaited(const struct rules *rules, const bool *out, const struct rule *r)
{
	for (size_t i = 0; i < rules->count; i++)
		if (!out[i] && waits_for(r, rules->items[i]))
			return rules->items[i];
	return NULL;
}

static int fault_circle(struct rules *rules, const bool *out, const struct rule *r)
{
	const struct rule *first;
	struct buf b = {0};
	struct error e;

	for (size_t i = 0; i < rules->count;
	     i++) /* follow the waiting from any rule: it leads into the circle */
		r = awaited(rules, out, r);
	first = r;
	do {
		buf_printf(&b, "%s, which waits for ", r->name);
		r = awaited(rules, out, r);
	} while (r != first && b.length < sizeof e.what / 2);
	error_set(&e, "rules go in a circle: %s%s", b.data ? b.data : "", r->name);
	error_hint(&e,
		   "a rule that follows itself needs a trigger of its own: every, file, signal");
	buf_free(&b);
	return diagnostics_add(&rules->diagnostics, first->script, first->offset, &e);
}

static bool has_links(const struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->items[i]->own.to || rules->items[i]->type->names_rules)
			return true;
	return false;
}

/*
 * Rules that wait for none are taken out one after the other; what is left stands in a circle or
 * behind one.
 */
static int check_circles(struct rules *rules)
{
	bool *out = calloc(rules->count + 1, sizeof *out), moved = true;
	int result = 0;

	if (!out)
		return -1;
	while (moved) {
		moved = false;
		for (size_t i = 0; i < rules->count; i++) {
			if (out[i] || awaited(rules, out, rules->items[i]))
				continue;
			out[i] = moved = true;
		}
	}
	for (size_t i = 0; i < rules->count && result == 0; i++)
		if (!out[i])
			result = fault_circle(rules, out, rules->items[i]);
	free(out);
	return result;
}

int rules_link(struct rules *rules)
{
	int result = 0;

	for (size_t i = 0; i < rules->count; i++)
		if (resolve(rules, rules->items[i]) < 0)
			result = -1;
	if (result < 0 || !has_links(rules))
		return result;
	return check_circles(rules);
}
