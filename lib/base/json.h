/*
 * Reading JSON (RFC 8259): one text becomes a flat array of values, in the order of the text.
 *
 * An array's or object's elements follow it, `span` values altogether; an object's are name, value,
 * name, value. Strings are decoded in place, in the text that the caller owns. Text from outside is
 * safe: depth and number of values are limited, and nothing is read beyond its end.
 */
#ifndef EVWATCH_BASE_JSON_H
#define EVWATCH_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_value {
	enum json_type type;
	const char *text; /* JSON_STRING: NUL-terminated, without a NUL inside */
	double number;    /* JSON_NUMBER */
	size_t span;      /* of values: itself and all that is in it */
};

struct json {
	struct json_value *values; /* owned; the first is the whole text */
	size_t count, capacity;
};

/*
 * Reads `length` bytes, which are followed by a NUL; `text` is overwritten and must outlive `j`.
 * Returns 0, or -1 with `e`: the place is in the message.
 */
int json_read(struct json *j, char *text, size_t length, struct error *e);
void json_free(struct json *j);

/* The value of a name in an object, or NULL (also where `object` is NULL or no object). */
const struct json_value *json_get(const struct json_value *object, const char *name);

/* The same by type, with what stands for one that is missing or of another type. */
const char *json_text(const struct json_value *object, const char *name, const char *missing);
double json_number(const struct json_value *object, const char *name, double missing);
bool json_flag(const struct json_value *object, const char *name);

/* Walks the elements of an array (or names and values): starts with NULL, ends with NULL. */
const struct json_value *json_next(const struct json_value *array, const struct json_value *at);

#endif
