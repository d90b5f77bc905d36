/*
 * Text as others must read it: escaped for terminals, JSON, shells; and the nearest known word.
 *
 * Names and lines come from outside and may hold any byte but NUL; nothing here trusts them.
 */
#ifndef EVWATCH_BASE_TEXT_H
#define EVWATCH_BASE_TEXT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The length of the character at `text` if no terminal should get it: a control character (C0, or
 * C1 in UTF-8 or as a byte of its own), or one that changes the direction of text. Else 0.
 */
size_t text_unsafe(const char *text, size_t left);

/* Appends `text` with what is unsafe as \n, \t, \xNN of each byte (for lines meant for people). */
void escape_control(struct buf *out, const char *text, size_t length);

/* The same, and blanks as \040 and backslashes as \\: one word, whose end is clear. */
void escape_word(struct buf *out, const char *text, size_t length);

/* Appends a JSON string in quotes; bytes that are not UTF-8 become U+FFFD (RFC 8259, 8.1). */
void json_add_string(struct buf *out, const char *text, size_t length);

/* Is it valid UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
bool utf8_valid(const char *text, size_t length);

/* Appends standard base64 with padding (RFC 4648, 4). */
void base64_add(struct buf *out, const void *bytes, size_t length);

/* Appends `word` so that a POSIX shell reads it as this one word. */
void shell_quote(struct buf *out, const char *word);

/*
 * The word of `words` (NULL-terminated) that a typist most likely meant, or NULL when none is near
 * (Damerau-Levenshtein, at most a third of the length).
 */
const char *nearest_word(const char *typed, const char *const *words);

/* Takes the NUL bytes out, in place, and ends it with one: no argument of a command can hold any.
 */
void text_remove_nuls(char *text, size_t length);

#endif
