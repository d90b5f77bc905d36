/*
 * A growing run of bytes.
 *
 * A failed allocation is remembered (`failed`), and every later addition does nothing: callers add
 * freely and ask once at the end. `data` is always NUL-terminated when it is not NULL.
 */
#ifndef EVWATCH_BASE_BUF_H
#define EVWATCH_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* owned; NULL while nothing was added */
	size_t length;
	size_t capacity;
	bool failed; /* ENOMEM happened: the content is incomplete */
};

/* Frees the bytes and makes the buffer empty again. */
void buf_free(struct buf *b);

/* Forgets the content, keeps the memory, clears `failed`. */
void buf_clear(struct buf *b);

/* Makes room for `more` further bytes. Returns 0, or -1 with ENOMEM. */
int buf_reserve(struct buf *b, size_t more);

/* Each returns 0, or -1 with ENOMEM. */
int buf_add(struct buf *b, const void *bytes, size_t length);
int buf_add_char(struct buf *b, char c);
int buf_add_text(struct buf *b, const char *text);
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Drops the first `length` bytes. */
void buf_consume(struct buf *b, size_t length);

/* Hands the bytes over: the caller frees them. NULL with ENOMEM when an addition had failed. */
char *buf_take(struct buf *b);

#endif
