/*
 * What went wrong, in words for the user, and how to mend it.
 *
 * A function of lib/ that can fail takes a `struct error *` and returns -1 (or NULL) with it
 * filled; it prints nothing. Only cmd/ and the engine tell the user, once.
 */
#ifndef EVWATCH_BASE_ERROR_H
#define EVWATCH_BASE_ERROR_H

struct error {
	char
	    what[400]; /* one clause, no full stop: "cannot bind 127.0.0.1:80: Permission denied" */
	char hint[240];     /* how to mend it, or "" */
	const char *option; /* the name of the option at fault, static; NULL: none */
	int word;           /* index of the argument at fault, counted after the kind; -1: none */
	int column;         /* byte offset of the fault within that word */
};

/* The empty error: no text, no word. */
void error_clear(struct error *e);

/* Fills `e` with a formatted text. Returns -1, so that callers can `return error_set(...)`. */
int error_set(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with ": " and the text of errno behind it, which is kept; a hint where descriptors are
 * short. Returns -1. */
int error_errno(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds the cure to an error that is already filled. Returns -1. */
int error_hint(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A file could not be made at `path`, errno says why: the hint is what its directory lacks. errno
 * is kept. */
void error_hint_place(struct error *e, const char *path);

/* The option at fault, and a text "--NAME FORMAT": a format that begins with a colon gets no space
 * before it. Returns -1. */
int error_option(struct error *e, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same of an error that is filled already: puts "--NAME: " before its text, and "--NAME "
 * before one that begins with a verb ("has no effect"). Returns -1. */
int error_of_option(struct error *e, const char *name);

/* Says which argument, and where in it. Returns -1. */
int error_at(struct error *e, int word, int column);

/* `"WORD": WHY`, with the fault at `at`, which points into the word. Returns -1. */
int error_in_word(struct error *e, const char *word, const char *at, const char *why);

#endif
