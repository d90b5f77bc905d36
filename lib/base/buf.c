/* See buf.h. */
#include "base/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
	b->length = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

static int buf_fail(struct buf *b)
{
	b->failed = true;
	errno = ENOMEM;
	return -1;
}

int buf_reserve(struct buf *b, size_t more)
{
	size_t need, capacity = b->capacity ? b->capacity : 64;
	char *data;

	if (b->failed || more > SIZE_MAX / 4 - b->length)
		return buf_fail(b);
	need = b->length + more + 1;
	if (need <= b->capacity)
		return 0;
	while (capacity < need)
		capacity *= 2;
	data = realloc(b->data, capacity);
	if (!data)
		return buf_fail(b);
	b->data = data;
	b->capacity = capacity;
	b->data[b->length] = '\0';
	return 0;
}

int buf_add(struct buf *b, const void *bytes, size_t length)
{
	if (buf_reserve(b, length) < 0)
		return -1;
	if (length)
		memcpy(b->data + b->length, bytes, length);
	b->length += length;
	b->data[b->length] = '\0';
	return 0;
}

int buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_add_text(struct buf *b, const char *text)
{
	return buf_add(b, text, strlen(text));
}

int buf_vprintf(struct buf *b, const char *format, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0 || buf_reserve(b, (size_t)n) < 0)
		return buf_fail(b);
	vsnprintf(b->data + b->length, (size_t)n + 1, format, ap);
	b->length += (size_t)n;
	return 0;
}

int buf_printf(struct buf *b, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = buf_vprintf(b, format, ap);
	va_end(ap);
	return r;
}

void buf_consume(struct buf *b, size_t length)
{
	if (!length)
		return;
	memmove(b->data, b->data + length, b->length - length + 1);
	b->length -= length;
}

char *buf_take(struct buf *b)
{
	char *data;

	if (buf_reserve(b, 0) < 0)
		return NULL;
	data = b->data;
	*b = (struct buf){0};
	return data;
}
