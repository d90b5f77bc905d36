/*
 * A script: text that rules are read from, and the words in it.
 *
 * Every word remembers where it stands, so that an error can show the line and a caret. A command
 * line becomes a script too: its arguments, quoted and joined.
 */
#ifndef EVWATCH_RULE_SCRIPT_H
#define EVWATCH_RULE_SCRIPT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct error;

struct script {
	char *name; /* "site.rules", "-e", "command line"; owned */
	char *text; /* owned, NUL-terminated */
	size_t length;
	size_t *lines; /* where each line after the first starts; owned */
	size_t n_lines;
};

struct word {
	char *text;    /* owned */
	size_t offset; /* where it starts in the script */
	bool quoted;   /* some of it was quoted: "--" in quotes is no separator */
};

struct words {
	struct word *items;
	size_t count, capacity;
};

/* A copy of this text under this name. NULL with ENOMEM. */
struct script *script_new(const char *name, const char *text, size_t length);

/* The number of the line, from 1, that the offset stands in, and where it starts. */
size_t script_line(const struct script *s, size_t offset, size_t *start);

/* Reads a file ("-": standard input, blocking: only before the loop). NULL with `e`. */
struct script *script_read(const char *path, struct error *e);

/*
 * Arguments as a script; `words` gets one word an argument, its text verbatim.
 * NULL with ENOMEM.
 */
struct script *script_from_arguments(const char *name, char *const *arguments, size_t count,
				     struct words *words);
void script_free(struct script *s);

/* ---- words.c ---- */
/*
 * Splits [start, end) of a script into words, as the shell does but without expansion: blanks
 * separate, '…', "…" and \ quote; a line whose first word begins with # is skipped, and \ at the
 * end of a line. Characters that look like others are faults outside quotes. Stops after an
 * unquoted `--`: *rest is then the offset behind it, else SIZE_MAX.
 * Returns 0, or -1 with `e` and *fault the offset of what is wrong (an open quote).
 */
int script_split(const struct script *s, size_t start, size_t end, struct words *words,
		 size_t *rest, size_t *fault, struct error *e);

/*
 * The text of [start, end) without lines that start with #, without blanks around it, and without
 * the first `indent` blanks of each line after the first. Caller frees.
 */
char *script_command(const struct script *s, size_t start, size_t end, size_t indent);

int words_add(struct words *w, const char *text, size_t offset, bool quoted);
void words_free(struct words *w);

/* Does the word begin with a character that looks like one of the syntax? -1 with `e` then, else 0.
 */
int look_alike_check(const char *word, struct error *e);

#endif
