/* See complete.h. */
#include "complete.h"

#include "client.h"
#include "options.h"
#include "tools.h"
#include "topics.h"

#include "base/array.h"
#include "base/error.h"
#include "base/scan.h"
#include "base/signame.h"
#include "reactor/reactor.h"
#include "rule/rule.h"
#include "source/source.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The command line, as far as it matters for its last word. */
struct line {
	char **words;
	int n;
	const char *typed;              /* the last word, or its value behind = */
	char before[80];                /* what stands before that in the word: "--option=" */
	const struct source_type *kind; /* NULL: none yet */
	const struct tool *tool;
	const struct option *option; /* the option whose value is typed; NULL: none */
	bool command;                /* it comes after -- */
};

static void offer(const struct line *l, const char *word, const char *meaning)
{
	if (strncmp(word, l->typed, strlen(l->typed)) != 0)
		return;
	printf("%s%s%s%s\n", l->before, word, meaning ? "\t" : "", meaning ? meaning : "");
}

/* ---- tables ---------------------------------------------------------------------------------- */

enum { MOST_TABLES = 8 };

/* The option tables in reach. Returns how many. */
static int tables_of(const struct line *l, const struct option *tables[MOST_TABLES])
{
	int n = 0;

	tables[n++] = process_options;
	if (l->kind)
		tables[n++] = l->kind->options;
	for (const struct rule_table *t = rule_tables; t->options; t++)
		if (!l->kind || !l->kind->takes_no_command || !t->of_command)
			tables[n++] = t->options;
	return n;
}

static const struct option *find_option(const struct line *l, const char *name, char letter)
{
	const struct option *tables[MOST_TABLES];
	int n = tables_of(l, tables);

	for (int i = 0; i < n; i++) {
		const struct option *o =
		    name ? option_find(tables[i], name) : option_find_letter(tables[i], letter);

		if (o)
			return o;
	}
	return NULL;
}

static void offer_options(const struct line *l)
{
	const struct option *tables[MOST_TABLES];
	int n = tables_of(l, tables);

	for (int i = 0; i < n; i++)
		for (const struct option *o = tables[i]; o && o->name; o++) {
			char word[64];

			if (o->not_yet)
				continue;
			snprintf(word, sizeof word, "--%s", o->name);
			offer(l, word, o->help);
		}
}

/* A tool's own options stand in its help, a line each: "      --json   what it means". */
static void offer_tool_options(const struct line *l)
{
	const char *at = l->tool->options;

	while (at && *at) {
		const char *name = strstr(at, "--"), *end = strchr(at, '\n');
		char word[64];

		if (!end)
			end = at + strlen(at);
		while (name && name < end) {
			size_t length = strcspn(name, " ,\n");

			snprintf(word, sizeof word, "%.*s", (int)length, name);
			if (length > 2)
				offer(l, word, NULL);
			name = strstr(name + length, " --");
			name = name ? name + 1 : NULL;
		}
		at = *end ? end + 1 : end;
	}
}

/* ---- values ---------------------------------------------------------------------------------- */

static void offer_signals(const struct line *l)
{
	char name[16];

	for (int i = 1; i < 32; i++)
		if (i != 9 && i != 19)
			offer(l, signal_name(i, name, sizeof name), NULL);
}

static void offer_users(const struct line *l)
{
	const struct passwd *user;
	const struct group *group;
	const char *colon = strchr(l->typed, ':');
	char word[256];

	setpwent();
	while (!colon && (user = getpwent()))
		offer(l, user->pw_name, NULL);
	endpwent();
	setgrent();
	while (colon && (group = getgrent())) {
		snprintf(word, sizeof word, "%.*s%s", (int)(colon - l->typed + 1), l->typed,
			 group->gr_name);
		offer(l, word, NULL);
	}
	endgrent();
}

static void offer_zones(const struct line *l)
{
	FILE *f = fopen("/usr/share/zoneinfo/zone.tab", "re");
	char text[512], zone[128];

	offer(l, "UTC", NULL);
	while (f && fgets(text, sizeof text, f)) {
		const char *at = text;

		if (*text != '#' && scan_skip(&at, 2) && scan_word(&at, "", zone, sizeof zone))
			offer(l, zone, NULL);
	}
	if (f)
		fclose(f);
}

/* Of the files that the line names with -f so far. */
static void offer_rules_of_files(const struct line *l)
{
	for (int i = 0; i + 2 < l->n; i++) {
		struct rules rules = {0};
		const struct script *script = NULL;
		struct error e;

		if (strcmp(l->words[i], "-f") == 0 || strcmp(l->words[i], "--file") == 0)
			script = strcmp(l->words[i + 1], "-") == 0
				     ? NULL
				     : rules_keep(&rules, script_read(l->words[i + 1], &e), &e);
		if (script)
			rules_parse_text(&rules, script, NULL);
		for (size_t at = 0; at < rules.count; at++)
			if (rules.items[at]->named)
				offer(l, rules.items[at]->name, rules.items[at]->type->name);
		rules_free(&rules);
	}
}

/* The rules of a running evwatch; none, without a message, where no evwatch runs. */
static void offer_running_rules(const struct line *l)
{
	const struct json_value *status = NULL;
	const char *path = NULL;
	int error = dup(2), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct client c;

	for (int i = 0; i + 1 < l->n; i++)
		if (strcmp(l->words[i], "--control") == 0)
			path = l->words[i + 1];
	if (error >= 0 && null >= 0) {
		dup2(null, 2);
		if (client_open(&c, "completions", path) == 0)
			status = client_ask(&c, "{\"do\":\"status\"}", false);
		for (const struct json_value *rule = NULL;
		     (rule = json_next(json_get(status, "rules"), rule));)
			offer(l, json_text(rule, "name", ""), json_text(rule, "kind", ""));
		client_close(&c);
		dup2(error, 2);
	}
	close(null);
	close(error);
}

static void offer_backends(const struct line *l)
{
	offer(l, "auto", NULL);
	for (const struct backend_info *const *b = reactor_backends(); *b; b++)
		offer(l, (*b)->name, (*b)->purpose);
}

/* "once|twice", as --help calls the value. */
static void offer_alternatives(const struct line *l, const char *value)
{
	while (*value) {
		size_t length = strcspn(value, "|");
		char word[32];

		snprintf(word, sizeof word, "%.*s", (int)length, value);
		if (*word >= 'a' && *word <= 'z')
			offer(l, word, NULL);
		value += length + (value[length] == '|');
	}
}

struct value_kind {
	const char *value; /* the beginning of the name that --help gives the value */
	void (*offer)(const struct line *l);
	const char *ask; /* the shell's own */
};

static const struct value_kind value_kinds[] = {
    {"FILE", NULL, ":files"},
    {"PATH", NULL, ":files"},
    {"DIR", NULL, ":directories"},
    {"WHERE", NULL, ":files"},
    {"SIG", offer_signals, NULL},
    {"USER", offer_users, NULL},
    {"NAME[:GROUP]", offer_users, NULL},
    {"ZONE", offer_zones, NULL},
    {"RULE", offer_rules_of_files, NULL},
};

static void offer_value(const struct line *l)
{
	const struct option *o = l->option;

	for (int i = 0; o->type == OPTION_CHOICE && o->choices[i]; i++)
		offer(l, o->choices[i], NULL);
	if (o->type == OPTION_CHOICE || !o->value)
		return;
	if (strcmp(o->name, "backend") == 0) {
		offer_backends(l);
		return;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(value_kinds); i++) {
		if (strncmp(o->value, value_kinds[i].value, strlen(value_kinds[i].value)) != 0)
			continue;
		if (value_kinds[i].offer)
			value_kinds[i].offer(l);
		else
			puts(value_kinds[i].ask);
		return;
	}
	if (strchr(o->value, '|'))
		offer_alternatives(l, o->value);
}

/* ---- arguments ------------------------------------------------------------------------------- */

static void offer_kinds(const struct line *l)
{
	for (size_t i = 0; source_types[i]; i++)
		offer(l, source_types[i]->name, source_types[i]->summary);
}

static void offer_tools(const struct line *l)
{
	for (const struct tool *t = tools; t->name; t++)
		if (t->run)
			offer(l, t->name, t->summary);
}

static void offer_topics(const struct line *l)
{
	for (const struct topic *t = topics; t->name; t++)
		offer(l, t->name, t->summary);
}

static void offer_tool_arguments(const struct line *l)
{
	const char *name = l->tool->name;

	if (strstr(l->tool->arguments, "RULE") && strcmp(name, "check") != 0) {
		offer_running_rules(l);
	} else if (strstr(l->tool->arguments, "KIND")) {
		offer_kinds(l);
		if (strcmp(name, "help") == 0) {
			offer_tools(l);
			offer_topics(l);
		}
	} else if (strcmp(name, "completions") == 0) {
		offer_alternatives(l, l->tool->arguments);
	}
}

/* What a kind takes, as its usage calls it. */
static void offer_arguments(const struct line *l)
{
	const char *arguments = l->kind->arguments;

	if (strstr(arguments, "PATH"))
		puts(":files");
	else if (strstr(arguments, "RULE"))
		offer_rules_of_files(l);
	else if (strstr(arguments, "NAME"))
		offer_signals(l);
}

/* ---- the line -------------------------------------------------------------------------------- */

/* The option that this whole word is and that takes its value from the next; else NULL. */
static const struct option *awaits_value(const struct line *l, const char *word)
{
	const struct option *o;

	if (word[0] != '-' || !word[1] || strchr(word, '='))
		return NULL;
	o = word[1] == '-' ? find_option(l, word + 2, 0)
			   : find_option(l, NULL, word[strlen(word) - 1]);
	return o && option_takes_value(o) ? o : NULL;
}

/* The words before the one that is typed. */
static void read_before(struct line *l)
{
	for (int i = 0; i + 1 < l->n; i++) {
		const char *word = l->words[i];

		l->option = awaits_value(l, word);
		if (strcmp(word, "--") == 0) {
			l->command = true;
			return;
		}
		if (l->option && i + 2 < l->n) {
			l->option = NULL;
			i++;
		} else if (word[0] != '-' && i == 0 && tool_find(word)) {
			l->tool = tool_find(word);
		} else if (word[0] != '-' && !l->kind) {
			l->kind = source_type_find(word);
		}
	}
}

/* "--option=" and a value in one word. */
static void read_typed(struct line *l)
{
	const char *equals = strchr(l->typed, '=');
	char name[64];

	if (l->option || strncmp(l->typed, "--", 2) != 0 || !equals ||
	    (size_t)(equals - l->typed) >= sizeof name)
		return;
	snprintf(name, sizeof name, "%.*s", (int)(equals - l->typed - 2), l->typed + 2);
	l->option = find_option(l, name, 0);
	snprintf(l->before, sizeof l->before, "--%s=", name);
	l->typed = equals + 1;
}

void complete_print(char **words, int n)
{
	struct line l = {.words = words, .n = n, .typed = n ? words[n - 1] : ""};

	read_before(&l);
	read_typed(&l);
	if (l.command) {
		puts(":command");
	} else if (l.option) {
		offer_value(&l);
	} else if (*l.typed == '-') {
		if (l.tool)
			offer_tool_options(&l);
		if (!l.tool || strstr(l.tool->arguments, "KIND"))
			offer_options(&l);
	} else if (l.tool && !l.kind) {
		offer_tool_arguments(&l);
	} else if (l.kind) {
		offer_arguments(&l);
	} else {
		offer_kinds(&l);
		if (n <= 1)
			offer_tools(&l);
	}
}
