/*
 * A rule: when this kind of thing happens, run that command (or print the event).
 *
 * Rules are read from command lines and from text; errors are collected, so that all of them are
 * printed at once. Reading arms nothing and opens nothing but rule files.
 */
#ifndef EVWATCH_RULE_RULE_H
#define EVWATCH_RULE_RULE_H

#include "sieve/sieve.h"
#include "job/job.h"
#include "rule/diagnostic.h"
#include "rule/script.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source_type;
struct zone_set;

/* How events are printed when there is no command. */
struct print_config {
	bool json;
	bool nul;     /* -0 */
	char *format; /* --format, or NULL */
};

/* What a rule says of itself: where its events go, and when it ends. */
struct rule_config {
	char *to;      /* --to: the rule whose command takes the events; NULL: its own, or none */
	uint64_t runs; /* --runs: it ends after so many; 0: never */
	bool last;     /* --last: evwatch stops with it */
	struct text_list sockets; /* --socket [NAME=]ENDPOINT */
};

struct rule {
	char *name;
	bool named; /* by the user */
	const struct source_type *type;
	void *source_config; /* of type->config_size */
	struct rule_config own;
	struct sieve_config sieve;
	struct job_config job;
	struct print_config print;
	struct command command; /* count 0: none */
	const struct rule
	    *target; /* whose command takes its events: itself, that of --to, or NULL */
	struct text_list
	    given; /* --NAME VALUE of options that its words (rule_describe) do not say */
	const struct script *script;
	size_t offset; /* where it starts in its script */
	/* Where the value of --to, and the names of a kind that names rules, stand there. */
	size_t to_offset;
	size_t *name_offsets; /* owned; NULL: the kind names none */
	/*
	 * What makes it this rule and no other: its words, the defaults that it took over, its
	 * command, each ended by a NUL; and the hash of that. Owned.
	 */
	char *identity;
	size_t identity_length;
	uint64_t identity_hash;
};

/* All rules of an invocation, with the texts that they came from. */
struct rules {
	struct rule **items;
	size_t count, capacity;
	struct script **scripts;
	size_t n_scripts, scripts_capacity;
	struct zone_set *zones; /* NULL until a schedule needs one */
	struct diagnostics diagnostics;
	struct diagnostics doubts; /* what is valid, and hardly meant: for check */
	/* Options of command lines, to tell them from misspelt ones in a rule; NULL: none. */
	const struct option *process;
};

void rule_free(struct rule *r);

/* Does this rule of a later reading say the same, name included where there is one? */
bool rule_same(const struct rule *a, const struct rule *b);

/*
 * Gives a rule without a name of its own the one of its new place, where all that borrow its name
 * find it.
 */
void rule_rename(struct rule *r, const char *name);

enum { RULE_NAME_ROOM = 40 }; /* of names that follow from kind and ordinal */
void rules_free(struct rules *rules);

/* Keeps a script for as long as the rules live. NULL (with a diagnostic) when `s` is NULL. */
const struct script *rules_keep(struct rules *rules, struct script *s, const struct error *e);

/* --to, --runs, --last. Offsets are into struct rule_config. */
extern const struct option rule_options[];

/* --json, -0, --format. Offsets are into struct print_config. */
extern const struct option print_options[];

/* One table of options that every rule has. */
struct rule_table {
	const struct option *options;
	size_t offset;     /* of what it fills in struct rule */
	const char *title; /* in --help; NULL: it goes on with the table before */
	bool of_command;   /* it means nothing with a kind that takes no command */
};

/* All of them, in the order in which an option is looked for; NULL options end them. */
extern const struct rule_table rule_tables[];

/* What the table fills in this rule. */
void *rule_table_config(const struct rule_table *t, const struct rule *rule);

/* The table that has this very option; NULL: it is the kind's, or the process's. */
const struct rule_table *rule_table_of(const struct option *o);

/*
 * A word of --socket: reads the endpoint, and sets *name to the bytes before "=" (0: the rule's).
 * Returns 0, or -1 with `e`.
 */
struct endpoint;
int rule_socket_parse(const char *word, struct endpoint *ep, size_t *name, struct error *e);

/* Why this option means nothing with this kind, or NULL: it does. */
const struct refusal *kind_refuses(const struct source_type *type, const struct option *o);

/* The rule of this name, or NULL. */
const struct rule *rules_find(const struct rules *rules, const char *name);

/* Is every %-letter of --format known? Returns 0, or -1 with `e`. */
int format_check(const char *format, struct error *e);

/* Does this rule replace the default of the signal? */
bool rule_claims_signal(const struct rule *r, int number);

/* The signals that any of the rules claims: a bit each, from signal 1 on. */
uint64_t rules_claimed_signals(const struct rules *rules);

/* Appends in words what the rule will do, one line. */
void rule_describe(const struct rule *r, struct buf *out);

#endif
