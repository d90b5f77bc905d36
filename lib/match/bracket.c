/* Bracket expressions, as glibc reads them in the C locale. */
#include "match/expression.h"

#include "base/array.h"
#include "base/error.h"

#include <string.h>

/* The C locale's classes, whatever the locale of the process is. */
static bool in_class(size_t class, unsigned c)
{
	bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
	bool digit = c >= '0' && c <= '9', graph = c > ' ' && c < 127;
	bool hex = (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
	const bool is[] = {
	    upper || lower || digit,              /* alnum */
	    upper || lower,                       /* alpha */
	    c == ' ' || c == '\t',                /* blank */
	    c < ' ' || c == 127,                  /* cntrl */
	    digit,                                /* digit */
	    graph,                                /* graph */
	    lower,                                /* lower */
	    graph || c == ' ',                    /* print */
	    graph && !upper && !lower && !digit,  /* punct */
	    c == ' ' || (c >= '\t' && c <= '\r'), /* space */
	    upper,                                /* upper */
	    digit || hex,                         /* xdigit */
	};

	return is[class];
}

static const char *const class_names[] = {"alnum", "alpha", "blank", "cntrl", "digit", "graph",
					  "lower", "print", "punct", "space", "upper", "xdigit"};

static int add_class(struct byte_set *set, const char *name, size_t length, struct error *e)
{
	for (size_t i = 0; i < ARRAY_LENGTH(class_names); i++) {
		if (strlen(class_names[i]) != length || memcmp(class_names[i], name, length) != 0)
			continue;
		for (unsigned c = 0; c < 256; c++)
			if (in_class(i, c))
				byte_set_add(set, (unsigned char)c);
		return 0;
	}
	error_set(e, "there is no class [:%.*s:]", (int)(length < 32 ? length : 32), name);
	return error_hint(e, "alnum alpha blank cntrl digit graph lower print punct space upper "
			     "xdigit");
}

/* One byte, or a class that cannot begin or end a range. */
struct element {
	bool class;
	unsigned char byte;
};

/* `[:`, `[=`, `[.`: *p stands behind these two. */
static int named_element(struct byte_set *set, const char **p, struct element *element,
			 struct error *e)
{
	char kind = (*p)[-1];
	const char end[] = {kind, ']', '\0'}, *name = *p, *found = strstr(name, end);
	size_t length = found ? (size_t)(found - name) : 0;

	if (!found)
		return error_set(e, "[%c has no %c]", kind, kind);
	*p = found + 2;
	if (kind == ':') {
		element->class = true;
		return add_class(set, name, length, e);
	}
	if (length != 1)
		return error_set(e, "[%c%.*s%c] is not one character", kind,
				 (int)(length < 32 ? length : 32), name, kind);
	element->byte = (unsigned char)*name;
	element->class = kind == '=';
	if (element->class)
		byte_set_add(set, element->byte);
	return 0;
}

static int no_end(struct error *e)
{
	error_set(e, "[ has no ]");
	return error_hint(e, "for a plain [ write \\[");
}

/* A range's `-` stands for itself only at the start, the end, and three in a row. */
static int next_element(struct byte_set *set, const char **p, struct element *element,
			bool may_be_hyphen, struct error *e)
{
	const char *at = *p;

	*element = (struct element){0};
	if (!*at)
		return no_end(e);
	if (*at == '[' && at[1] && strchr(":=.", at[1])) {
		*p += 2;
		return named_element(set, p, element, e);
	}
	element->byte = (unsigned char)*at;
	(*p)++;
	if (*at != '-')
		return 0;
	if (at[1] == '-' && at[2] == '-') {
		*p += 2;
		return 0;
	}
	if (may_be_hyphen || **p == ']')
		return 0;
	error_set(e, "a - between a range and what follows");
	return error_hint(e, "put the - first or last");
}

static int add_range(struct byte_set *set, unsigned from, unsigned to, struct error *e)
{
	if (from > to)
		return error_set(e, "the range %c-%c is empty", (int)from, (int)to);
	for (unsigned c = from; c <= to; c++)
		byte_set_add(set, (unsigned char)c);
	return 0;
}

/* Does a range's `-` stand here? */
static bool at_range(const char *p)
{
	return p[0] == '-' && p[1] != ']' && !(p[1] == '-' && p[2] == '-');
}

static int add_element(struct byte_set *set, const char **p, bool first, struct error *e)
{
	struct element low, high;

	if (next_element(set, p, &low, first, e) < 0)
		return -1;
	if (low.class)
		return 0;
	if (!at_range(*p)) {
		byte_set_add(set, low.byte);
		return 0;
	}
	(*p)++;
	if (next_element(set, p, &high, true, e) < 0)
		return -1;
	if (high.class)
		return error_set(e, "a class cannot end a range");
	return add_range(set, low.byte, high.byte, e);
}

int bracket_parse(struct byte_set *set, const char **p, struct error *e)
{
	bool negated = **p == '^';

	*set = (struct byte_set){0};
	*p += negated;
	for (bool first = true; **p != ']' || first; first = false)
		if (add_element(set, p, first, e) < 0)
			return -1;
	(*p)++;
	for (size_t i = 0; negated && i < ARRAY_LENGTH(set->bits); i++)
		set->bits[i] = ~set->bits[i];
	return 0;
}
