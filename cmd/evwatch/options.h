/* The options of the whole process, and the command line as a whole. */
#ifndef EVWATCH_OPTIONS_H
#define EVWATCH_OPTIONS_H

#include "base/option.h"
#include "rule/parser.h"

#include <stdbool.h>
#include <stdint.h>

/* A -e or -f, in the order given. */
struct rule_text {
	bool is_file;
	char *text; /* the rule, or the path */
	/* What was read from what cannot be read again (standard input, a pipe); else NULL. */
	char *kept;
	size_t kept_length;
};

struct process_options {
	char *backend; /* NULL: EVWATCH_BACKEND, else auto */
	struct rule_text *texts;
	size_t n_texts, texts_capacity;
	bool dry_run, once, fail_fast, no_guard;
	uint64_t count;
	int64_t within;
	int quiet, verbose;
	int help, version; /* how often asked for, behind other letters too: -vh */
	int log;           /* 0: text, 1: json */
	bool stdin_quit;
	uint64_t spool;
	char *ready_file;
	char *pidfile;
	char *user;
	/* The command line itself, to be read again; borrowed. */
	char **arguments;
	int n_arguments;
	const struct process_options *former; /* of the first reading; NULL: this is it */
	char *control;
};

/* Ends with a NULL name. Offsets are into struct process_options. */
extern const struct option process_options[];

/*
 * Reads a whole command line (without the program's name): options, the rule on it, and the rules
 * of -e and -f. Returns 0, or -1 with rules->diagnostics filled.
 */
int command_line_read(struct process_options *o, struct rules *rules, char **arguments, int count);

/* Reads it again, with the rules' files as they are now. `options`: struct process_options. */
int command_line_reread(void *options, struct rules *rules);

/* What diagnostics call the script of the command line. */
extern const char command_line_name[];

/* Prints every diagnostic on standard error. */
void diagnostics_print(const struct diagnostics *d);

void process_options_release(struct process_options *o);

#endif
