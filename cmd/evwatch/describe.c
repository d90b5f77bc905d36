/* See describe.h. */
#include "describe.h"
#include "machine.h"
#include "options.h"

#include "base/text.h"
#include "rule/rule.h"
#include "source/source.h"

#include <stdio.h>
#include <string.h>

static void print(struct buf *b)
{
	if (b->data)
		fwrite(b->data, 1, b->length, stdout);
	buf_free(b);
}

void diagnostics_print_json(const struct diagnostics *d)
{
	struct buf b = {0};

	for (size_t i = 0; i < d->count; i++)
		diagnostic_json(&d->items[i], &b);
	print(&b);
}

static void describe_as_json(const struct rule *rule, struct buf *out)
{
	struct buf words = {0};

	rule_describe(rule, &words);
	buf_add_text(out, "{\"rule\":");
	json_add_string(out, rule->name, strlen(rule->name));
	buf_printf(out, ",\"kind\":\"%s\",\"does\":", rule->type->name);
	json_add_string(out, words.data ? words.data : "", words.length);
	buf_add_text(out, "}\n");
	buf_free(&words);
}

static void describe_all(const struct rules *rules, bool json)
{
	struct buf b = {0};

	for (size_t i = 0; i < rules->count; i++) {
		if (json) {
			describe_as_json(rules->items[i], &b);
			continue;
		}
		rule_describe(rules->items[i], &b);
		buf_add_char(&b, '\n');
	}
	print(&b);
}

int rules_print(struct rules *rules, bool json)
{
	bool good = machine_check(rules) == 0;

	if (good)
		describe_all(rules, json);
	if (json) {
		diagnostics_print_json(&rules->diagnostics);
		diagnostics_print_json(&rules->doubts);
	} else {
		diagnostics_print(&rules->diagnostics);
		diagnostics_print(&rules->doubts);
	}
	return good ? 0 : 2;
}
