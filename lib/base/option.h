/*
 * Option tables: the single source for parsing, --help, completions and the man page's lists.
 *
 * An option writes into a field of a plain configuration struct, found by its offset. The struct
 * is zeroed and given its defaults by its owner before options are read; option_release frees what
 * the options allocated.
 */
#ifndef EVWATCH_BASE_OPTION_H
#define EVWATCH_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

enum option_type {
	OPTION_FLAG,     /* bool; takes no value */
	OPTION_TALLY,    /* int: how often it was given; takes no value */
	OPTION_TEXT,     /* char *, owned copy */
	OPTION_LIST,     /* struct text_list; may be given several times */
	OPTION_DURATION, /* int64_t, ns */
	OPTION_SIZE,     /* uint64_t, bytes */
	OPTION_RATE,     /* uint64_t, bytes a second */
	OPTION_COUNT,    /* uint64_t, from `least` to `most` */
	OPTION_CHOICE,   /* int: the index in `choices` */
	OPTION_CUSTOM,   /* `parse` decides */
};

/* Where an option has an effect; where it has none, a rule that writes it is refused. */
enum option_reach {
	REACH_TABLE,    /* where what its table configures is done: running commands, printing */
	REACH_GATHERED, /* there, with --to, and with every kind that gathers its events itself */
	REACH_FLOW,     /* there, and with --to: what decides when events are handed on */
	REACH_BATCHES,  /* the same, of kinds that gather their events themselves only */
	REACH_INPUT,    /* there, but for kinds whose events are the command's input */
	REACH_COMMAND,  /* only with a command of the rule's own */
	REACH_RULES,    /* with every rule */
};

/* Words in the order given. */
struct text_list {
	char **items; /* owned, each of them too */
	size_t count, capacity;
};

struct option {
	const char *name;           /* long name without dashes */
	const char *value;          /* what --help calls the value: "DUR"; NULL for flags */
	const char *help;           /* one clause for --help */
	const char *const *choices; /* OPTION_CHOICE: NULL-terminated */
	/* OPTION_CUSTOM: reads `word` into the configuration; OPTION_LIST: checks it. Returns 0, or
	 * -1 with `e` filled. */
	int (*parse)(void *config, const char *word, struct error *e);
	/*
	 * Of an option that a rule writes itself, once the rule is read: -1 with `e` (behind the
	 * option's name) when it has no effect, and what it needs. `config` is the table's. Not
	 * asked of REACH_GATHERED where the kind gathers by itself. Optional.
	 */
	int (*check)(const void *config, struct error *e);
	uint32_t offset;      /* of the field in the configuration */
	uint32_t least, most; /* OPTION_COUNT, most 0: no limit; least: OPTION_DURATION, too */
	char letter;          /* short name, or 0 */
	enum option_type type : 8;
	enum option_reach reach : 8;
	bool may_be_empty : 1; /* OPTION_TEXT: the empty word means something */
	bool in_words : 1;     /* the words of check say it: it is not listed behind them */
	bool not_yet : 1;      /* planned, not built: refused with "not there yet" */
};

/*
 * A row of the table of a configuration (the macro CONFIG is its struct): the option's name, type
 * and field, what --help calls the value, and its help. What else the option has follows.
 */
#define OPTION_ROW(word, kind, field, what, ...)                                                   \
	{                                                                                          \
		.name = (word), .type = OPTION_##kind, .offset = offsetof(CONFIG, field),          \
		.value = (what), .help = __VA_ARGS__                                               \
	}

/* The option called `name` (long), or NULL. A table ends with a NULL name; NULL is no table. */
const struct option *option_find(const struct option *table, const char *name);
const struct option *option_find_letter(const struct option *table, char letter);

/* Is it this table's? Tables may have options of the same name. */
bool option_is_of(const struct option *table, const struct option *o);

bool option_takes_value(const struct option *o);

/* Reads `word` (NULL for flags) into `config`. Returns 0, or -1 with `e` filled. */
int option_apply(const struct option *o, void *config, const char *word, struct error *e);

/* Frees what texts and lists of the table own in `config`. */
void option_release(const struct option *table, void *config);

/* Adds a copy. Returns 0, or -1 with ENOMEM. */
int text_list_add(struct text_list *list, const char *text);
void text_list_free(struct text_list *list);

#endif
