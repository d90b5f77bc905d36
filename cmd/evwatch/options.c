/* See options.h. */
#include "options.h"

#include "tools.h"

#include "base/array.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "source/source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char command_line_name[] = "command line";

static int add_text(struct process_options *o, const char *text, bool is_file, struct error *e)
{
	struct rule_text *added;

	if (ARRAY_GROW(o->texts, o->texts_capacity, o->n_texts + 1) < 0)
		return error_errno(e, "cannot take the rule");
	added = &o->texts[o->n_texts];
	added->is_file = is_file;
	added->text = strdup(text);
	if (!added->text)
		return error_errno(e, "cannot take the rule");
	o->n_texts++;
	return 0;
}

static int parse_rule(void *config, const char *word, struct error *e)
{
	return add_text(config, word, false, e);
}

static int parse_file(void *config, const char *word, struct error *e)
{
	return add_text(config, word, true, e);
}

static const char *const log_forms[] = {"text", "json", NULL};

#define FIELD(name) offsetof(struct process_options, name)

const struct option process_options[] = {
    {.name = "backend",
     .letter = 'b',
     .type = OPTION_TEXT,
     .offset = FIELD(backend),
     .value = "NAME",
     .help = "epoll, io_uring, poll, select, or auto (default)"},
    {.name = "rule",
     .letter = 'e',
     .type = OPTION_CUSTOM,
     .value = "RULE",
     .parse = parse_rule,
     .help = "a rule as text; may be given several times"},
    {.name = "file",
     .letter = 'f',
     .type = OPTION_CUSTOM,
     .value = "FILE",
     .parse = parse_file,
     .help = "rules from a file, - for standard input"},
    {.name = "dry-run",
     .letter = 'n',
     .offset = FIELD(dry_run),
     .help = "print what the rules will do, start nothing"},
    {.name = "once",
     .letter = '1',
     .offset = FIELD(once),
     .help = "stop after the first run, or the first event"},
    {.name = "count",
     .letter = 'c',
     .type = OPTION_COUNT,
     .offset = FIELD(count),
     .value = "N",
     .least = 1,
     .help = "stop after N runs"},
    {.name = "within",
     .letter = 'w',
     .type = OPTION_DURATION,
     .offset = FIELD(within),
     .least = 1,
     .value = "DUR",
     .help = "stop after DUR; status 124 if it is not done"},
    {.name = "fail-fast",
     .letter = 'x',
     .offset = FIELD(fail_fast),
     .help = "stop at the first command that fails"},
    {.name = "quiet",
     .letter = 'q',
     .type = OPTION_TALLY,
     .offset = FIELD(quiet),
     .help = "print errors only"},
    {.name = "verbose",
     .letter = 'v',
     .type = OPTION_TALLY,
     .offset = FIELD(verbose),
     .help = "print each event, start and end; -vv: the loop"},
    {.name = "log",
     .type = OPTION_CHOICE,
     .offset = FIELD(log),
     .value = "FORM",
     .choices = log_forms,
     .help = "form of the diagnostics: text or json"},
    {.name = "stdin-quit", .offset = FIELD(stdin_quit), .help = "stop when standard input ends"},
    {.name = "spool",
     .type = OPTION_SIZE,
     .offset = FIELD(spool),
     .value = "SIZE",
     .help = "most output on disk for slow readers (1G)"},
    {.name = "ready-file",
     .type = OPTION_TEXT,
     .offset = FIELD(ready_file),
     .value = "PATH",
     .help = "written once all rules are armed"},
    {.name = "no-guard", .offset = FIELD(no_guard), .help = "do without the guardian process"},
    {.name = "pidfile",
     .type = OPTION_TEXT,
     .offset = FIELD(pidfile),
     .value = "PATH",
     .help = "written and locked; a second instance exits 1"},
    {.name = "control",
     .type = OPTION_TEXT,
     .offset = FIELD(control),
     .value = "PATH",
     .help = "Unix socket for status, trigger and so on"},
    {.name = "user",
     .type = OPTION_TEXT,
     .offset = FIELD(user),
     .value = "NAME[:GROUP]",
     .help = "become this user once all is bound and opened"},
    {.name = "sandbox", .help = "restrict evwatch itself", .not_yet = true},
    {.name = "help",
     .letter = 'h',
     .type = OPTION_TALLY,
     .offset = FIELD(help),
     .help = "this, or the help of a KIND or TOOL"},
    {.name = "version",
     .letter = 'V',
     .type = OPTION_TALLY,
     .offset = FIELD(version),
     .help = "version and backends"},
    {0},
};

/* Only a regular file is read again at a reload. */
static bool can_be_read_again(const char *path)
{
	struct stat st;

	return strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static struct script *read_script(struct rule_text *text, const struct rule_text *former,
				  struct error *e)
{
	bool standard = strcmp(text->text, "-") == 0;
	struct script *script;

	if (former && former->kept) {
		script = script_new(standard ? "standard input" : text->text, former->kept,
				    former->kept_length);
		if (!script)
			error_errno(e, "cannot read the rules");
		return script;
	}
	script = script_read(text->text, e);
	if (!script || can_be_read_again(text->text))
		return script;
	text->kept = malloc(script->length + 1);
	if (text->kept)
		memcpy(text->kept, script->text, script->length + 1);
	text->kept_length = script->length;
	return script;
}

static int read_text(struct rules *rules, struct rule_text *text, const struct rule_text *former,
		     const struct defaults *defaults)
{
	const struct script *kept;
	struct script *script;
	struct error e;

	error_clear(&e);
	if (text->is_file) {
		script = read_script(text, former, &e);
	} else {
		script = script_new("-e", text->text, strlen(text->text));
		if (!script)
			error_errno(&e, "cannot read the rule");
	}
	kept = rules_keep(rules, script, &e);
	return kept ? rules_parse_text(rules, kept, defaults) : -1;
}

/* Who reads standard input with --stdin-quit? */
static int check_input(struct rules *rules)
{
	struct error e;

	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *r = rules->items[i];
		bool reads = r->type->reads_input && r->type->reads_input(r->source_config);

		if (!reads && r->job.stdin_mode != STDIN_INHERIT)
			continue;
		error_option(&e, "stdin-quit", ": the rule %s reads standard input", r->name);
		error_hint(
		    &e, reads ? "a rule that reads it ends with it, and evwatch with its last rule"
			      : "--stdin inherit leaves it to the command");
		return diagnostics_add(&rules->diagnostics, r->script, r->offset, &e);
	}
	return 0;
}

static bool is_handed_events(const struct rules *rules, const struct rule *task)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->items[i] != task && rules->items[i]->target == task)
			return true;
	return false;
}

/* Who runs the tasks? Without a control socket only rules can; in files these may come with a
 * reload. */
static int check_tasks(const struct process_options *o, struct rules *rules)
{
	bool from_files = false;
	int result = 0;

	for (size_t i = 0; i < o->n_texts; i++)
		from_files |= o->texts[i].is_file;
	for (size_t i = 0; !o->control && i < rules->count; i++) {
		const struct rule *r = rules->items[i];
		struct error e;

		if (!r->type->by_others || r->job.initial || is_handed_events(rules, r))
			continue;
		error_set(
		    &e,
		    "%snothing runs this command: no rule has --to %s, and evwatch no --control",
		    from_files ? "warning: " : "", r->name);
		error_hint(&e, "--control PATH lets \"evwatch trigger %s\" run it", r->name);
		diagnostics_add(from_files ? &rules->doubts : &rules->diagnostics, r->script,
				r->offset, &e);
		if (!from_files)
			result = -1;
	}
	return result;
}

static int no_rule(struct rules *rules)
{
	struct error e;

	error_set(&e, "there is no rule");
	error_hint(&e,
		   "for example: evwatch file . -- make    (\"evwatch --help\" lists the kinds)");
	return diagnostics_add(&rules->diagnostics, NULL, 0, &e);
}

int command_line_read(struct process_options *o, struct rules *rules, char **arguments, int count)
{
	struct option_scope process = {process_options, o, tool_names()};
	struct defaults defaults = {0};
	struct words words = {0};
	const struct script *script;
	struct error e;
	int result = -1;

	o->arguments = arguments;
	o->n_arguments = count;
	rules->process = process_options;
	error_set(&e, "out of memory");
	script = rules_keep(
	    rules, script_from_arguments(command_line_name, arguments, (size_t)count, &words), &e);
	if (script)
		result = rules_parse_command_line(rules, script, &words, &process, &defaults);
	for (size_t i = 0; script && i < o->n_texts; i++)
		if (read_text(rules, &o->texts[i], o->former ? &o->former->texts[i] : NULL,
			      &defaults) < 0)
			result = -1;
	if (rules_finish(rules) < 0)
		result = -1;
	if (result == 0 && rules->count == 0)
		result = no_rule(rules);
	if (result == 0 && o->stdin_quit)
		result = check_input(rules);
	if (result == 0)
		result = check_tasks(o, rules);
	if (o->once && !o->count)
		o->count = 1;
	words_free(&defaults.words);
	words_free(&words);
	return result;
}

int command_line_reread(void *options, struct rules *rules)
{
	const struct process_options *former = options;
	struct process_options o = {.former = former};
	int result = command_line_read(&o, rules, former->arguments, former->n_arguments);

	process_options_release(&o);
	return result;
}

void diagnostics_print(const struct diagnostics *d)
{
	struct buf b = {0};

	for (size_t i = 0; log_is_json() && i < d->count; i++)
		diagnostic_log(&d->items[i]);
	if (log_is_json())
		return;
	for (size_t i = 0; i < d->count; i++)
		diagnostic_print(&d->items[i], &b);
	if (d->left_out)
		buf_printf(&b, "evwatch: and %zu more errors\n", d->left_out);
	if (b.data)
		fd_write_all(2, b.data, b.length);
	buf_free(&b);
}

void process_options_release(struct process_options *o)
{
	for (size_t i = 0; i < o->n_texts; i++) {
		free(o->texts[i].text);
		free(o->texts[i].kept);
	}
	free(o->texts);
	option_release(process_options, o);
}
