/* Options of a tool: a table of its own beside the words that it takes. */
#ifndef EVWATCH_TOOL_OPTIONS_H
#define EVWATCH_TOOL_OPTIONS_H

struct error;
struct option;

/*
 * Takes the options of `table` out of the words and applies them to `config`; the words that stay
 * (all after "--" too) are moved together, *count is their number. -1: what is wrong was printed,
 * as `evwatch: TOOL: ...`.
 */
int tool_options_read(const char *tool, const struct option *table, void *config, char **words,
		      int *count);

/* Refuses options among the words that are left, and takes out a "--". -1: it was printed. */
int tool_options_finish(const char *tool, const struct option *table, char **words, int *count);

/* Prints an error of a tool's word, with its hint. Returns -1. */
int tool_fault(const char *tool, const char *word, const struct error *e);

#endif
