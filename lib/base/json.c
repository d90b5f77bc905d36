/* See json.h. */
#include "base/json.h"

#include "base/array.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 16, MOST_VALUES = 1000000 };

struct reader {
	struct json *json;
	char *text, *at, *end;
	const char *what; /* is wrong; NULL: nothing */
};

static bool read_value(struct reader *r, int depth);

static bool wrong(struct reader *r, const char *what)
{
	if (!r->what)
		r->what = what;
	return false;
}

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at)
		r->at++;
}

/* Appends a value and gives its index. */
static bool add(struct reader *r, enum json_type type, size_t *index)
{
	struct json *j = r->json;

	if (j->count >= MOST_VALUES)
		return wrong(r, "too many values");
	if (ARRAY_GROW(j->values, j->capacity, j->count + 1) < 0)
		return wrong(r, "out of memory");
	j->values[j->count] = (struct json_value){.type = type, .span = 1};
	*index = j->count++;
	return true;
}

/* ---- strings --------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX; -1: they are none. */
static long hex_four(struct reader *r)
{
	long n = 0;

	if (r->end - r->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(r->at[i]);

		if (digit < 0)
			return -1;
		n = n << 4 | digit;
	}
	r->at += 4;
	return n;
}

/* Writes a code point as UTF-8; the text that it was escaped in is longer. */
static char *put_utf8(char *to, long c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* A lone surrogate becomes U+FFFD. */
static char *read_unicode(struct reader *r, char *to)
{
	long c = hex_four(r);

	if (c < 0) {
		wrong(r, "no \\u escape");
		return NULL;
	}
	if (c == 0) {
		wrong(r, "a NUL in a string");
		return NULL;
	}
	if (c >= 0xd800 && c < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' &&
	    r->at[1] == 'u') {
		char *before = r->at;
		long low;

		r->at += 2;
		low = hex_four(r);
		if (low >= 0xdc00 && low < 0xe000)
			return put_utf8(to, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
		r->at = before;
	}
	return put_utf8(to, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
}

static char *read_escape(struct reader *r, char *to)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	char c = r->at < r->end ? *r->at++ : '\0';
	const char *name = c ? strchr(names, c) : NULL;

	if (c == 'u')
		return read_unicode(r, to);
	if (!name) {
		wrong(r, "an unknown escape");
		return NULL;
	}
	*to++ = values[name - names];
	return to;
}

static bool read_string(struct reader *r)
{
	char *to = ++r->at, *start = to;
	size_t index = 0;

	while (r->at < r->end && *r->at != '"') {
		if ((unsigned char)*r->at < 0x20)
			return wrong(r, "a control character in a string");
		if (*r->at != '\\') {
			*to++ = *r->at++;
			continue;
		}
		r->at++;
		to = read_escape(r, to);
		if (!to)
			return false;
	}
	if (r->at == r->end)
		return wrong(r, "a string without its end");
	r->at++;
	*to = '\0';
	if (!add(r, JSON_STRING, &index))
		return false;
	r->json->values[index].text = start;
	return true;
}

/* ---- numbers and words ----------------------------------------------------------------------- */

/* Adds digits to *n as long as it has room, and counts those for which it has none. Returns how
 * many were read. */
static int read_digits(struct reader *r, uint64_t *n, int *left)
{
	const char *start = r->at;

	for (; *r->at >= '0' && *r->at <= '9'; r->at++)
		if (*n < UINT64_MAX / 10)
			*n = *n * 10 + (uint64_t)(*r->at - '0');
		else
			++*left;
	return (int)(r->at - start);
}

/* `e-9`, of which more than a double has room for is cut. */
static bool read_exponent(struct reader *r, int *exponent)
{
	bool down = *++r->at == '-';
	uint64_t n = 0;
	int left = 0;

	r->at += down || *r->at == '+';
	if (!read_digits(r, &n, &left))
		return false;
	if (n > 999)
		n = 999;
	*exponent += down ? -(int)n : (int)n;
	return true;
}

/* 19 digits count. The result is exact where these are below 2^53 and the power of ten is below 23,
 * else right to a few units in the last place. (strtod(3) is 6 kB of a static binary.) */
static bool read_decimal(struct reader *r, double *number)
{
	uint64_t digits = 0;
	int exponent = 0;
	double power = 1;

	if (!read_digits(r, &digits, &exponent))
		return false;
	if (*r->at == '.') {
		int left = 0, n;

		r->at++;
		n = read_digits(r, &digits, &left);
		if (!n)
			return false;
		exponent += left - n;
	}
	if ((*r->at == 'e' || *r->at == 'E') && !read_exponent(r, &exponent))
		return false;
	for (int i = 0; digits && i < abs(exponent); i++)
		power *= 10;
	*number = exponent < 0 ? (double)digits / power : (double)digits * power;
	return true;
}

static bool read_number(struct reader *r)
{
	char *start = r->at;
	bool negative = *start == '-';
	double number;
	size_t index = 0;

	r->at += negative;
	if (!read_decimal(r, &number)) {
		r->at = start;
		return wrong(r, "no JSON value");
	}
	if (!add(r, JSON_NUMBER, &index))
		return false;
	r->json->values[index].number = negative ? -number : number;
	return true;
}

static bool read_word(struct reader *r)
{
	static const char *const words[] = {"null", "false", "true"};
	size_t index = 0;

	for (int i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(r->end - r->at) >= n && memcmp(r->at, words[i], n) == 0) {
			r->at += n;
			return add(r, (enum json_type)i, &index);
		}
	}
	return read_number(r);
}

/* ---- arrays and objects ---------------------------------------------------------------------- */

static bool read_member(struct reader *r, int depth)
{
	if (r->at == r->end || *r->at != '"')
		return wrong(r, "a name in quotes is missing");
	if (!read_string(r))
		return false;
	skip_blanks(r);
	if (r->at == r->end || *r->at != ':')
		return wrong(r, "\":\" is missing");
	r->at++;
	return read_value(r, depth);
}

static bool read_elements(struct reader *r, bool object, int depth)
{
	char close = object ? '}' : ']';
	size_t index = 0;

	if (depth == MOST_DEPTH)
		return wrong(r, "too many levels");
	if (!add(r, object ? JSON_OBJECT : JSON_ARRAY, &index))
		return false;
	r->at++;
	skip_blanks(r);
	if (r->at < r->end && *r->at == close) {
		r->at++;
		return true;
	}
	for (;;) {
		skip_blanks(r);
		if (!(object ? read_member(r, depth + 1) : read_value(r, depth + 1)))
			return false;
		skip_blanks(r);
		if (r->at < r->end && *r->at == close)
			break;
		if (r->at == r->end || *r->at != ',')
			return wrong(r, object ? "\",\" or \"}\" is missing"
					       : "\",\" or \"]\" is missing");
		r->at++;
	}
	r->at++;
	r->json->values[index].span = r->json->count - index;
	return true;
}

static bool read_value(struct reader *r, int depth)
{
	skip_blanks(r);
	if (r->at == r->end)
		return wrong(r, "a value is missing");
	switch (*r->at) {
	case '{':
	case '[':
		return read_elements(r, *r->at == '{', depth);
	case '"':
		return read_string(r);
	default:
		return read_word(r);
	}
}

int json_read(struct json *j, char *text, size_t length, struct error *e)
{
	struct reader r = {.json = j, .text = text, .at = text, .end = text + length};

	j->count = 0;
	if (read_value(&r, 0)) {
		skip_blanks(&r);
		if (r.at < r.end)
			wrong(&r, "something follows the value");
	}
	if (!r.what)
		return 0;
	return error_set(e, "no JSON at byte %zu: %s", (size_t)(r.at - r.text) + 1, r.what);
}

void json_free(struct json *j)
{
	free(j->values);
	*j = (struct json){0};
}

/* ---- looking --------------------------------------------------------------------------------- */

const struct json_value *json_next(const struct json_value *array, const struct json_value *at)
{
	if (!array || (array->type != JSON_ARRAY && array->type != JSON_OBJECT))
		return NULL;
	at = at ? at + at->span : array + 1;
	return at < array + array->span ? at : NULL;
}

const struct json_value *json_get(const struct json_value *object, const char *name)
{
	if (!object || object->type != JSON_OBJECT)
		return NULL;
	for (const struct json_value *at = NULL; (at = json_next(object, at));) {
		const struct json_value *value = json_next(object, at);

		if (strcmp(at->text, name) == 0)
			return value;
		at = value;
	}
	return NULL;
}

const char *json_text(const struct json_value *object, const char *name, const char *missing)
{
	const struct json_value *v = json_get(object, name);

	return v && v->type == JSON_STRING ? v->text : missing;
}

double json_number(const struct json_value *object, const char *name, double missing)
{
	const struct json_value *v = json_get(object, name);

	return v && v->type == JSON_NUMBER ? v->number : missing;
}

bool json_flag(const struct json_value *object, const char *name)
{
	const struct json_value *v = json_get(object, name);

	return v && v->type == JSON_TRUE;
}
