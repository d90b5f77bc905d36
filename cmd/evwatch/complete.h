/*
 * Completions: the candidates for the last word of a command line, from the tables of kinds,
 * options and tools. The scripts for the shells (completions.h) ask for them each time.
 */
#ifndef EVWATCH_COMPLETE_H
#define EVWATCH_COMPLETE_H

/*
 * Prints a candidate a line, with a tab and what it means where that is known. A line `:files`,
 * `:directories` or `:command` asks the shell for its own. `words` follow the program's name; the
 * last one is being typed, and may be empty.
 */
void complete_print(char **words, int n);

#endif
