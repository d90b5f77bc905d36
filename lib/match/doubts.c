/*
 * What is valid, and hardly meant: other expressions (Perl's, Python's, JavaScript's) have the same
 * characters with another meaning, and globs and shell text look alike.
 *
 * This reads the text once more, and only where it is known to be a valid expression.
 */
#include "match/match.h"

#include "base/array.h"
#include "base/error.h"
#include "match/program.h"

#include <string.h>

struct reader {
	const char *text, *p;
	bool after_repeat; /* *, +, ? or an interval stands before p */
	struct error *e;
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool doubt(struct reader *r, const char *at, const char *hint)
{
	error_hint(r->e, "%s", hint);
	r->e->column = (int)(at - r->text);
	return true;
}

/* What a letter after a backslash means elsewhere, and how it is written here. */
static const char *cure_of_escape(char c)
{
	static const struct {
		char letter;
		const char *cure;
	} cures[] = {
	    {'d', "write [0-9] for a digit"},
	    {'D', "write [^0-9] for what is no digit"},
	    {'t', "write [[:blank:]] for a blank or tab"},
	    {'n', "a line holds no line break"},
	    {'r', "write [[:cntrl:]] for a carriage return"},
	    {'A', "write ^ for the start"},
	    {'Z', "write $ for the end"},
	    {'z', "write $ for the end"},
	    {'h', "write [[:blank:]] for a blank or tab"},
	    {'x', "write the character itself"},
	    {'u', "write the character itself"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cures); i++)
		if (cures[i].letter == c)
			return cures[i].cure;
	return "leave the backslash out";
}

/* p stands at a backslash; it is moved on. */
static bool escape_is_doubtful(struct reader *r)
{
	char c = r->p[1];
	const char *at = r->p;

	r->p += 2;
	if ((!is_letter(c) || strchr("bBwWsS", c)) && c != '0')
		return false;
	error_set(r->e, "\\%c is the character %c here", c, c);
	return doubt(r, at, c == '0' ? "leave the backslash out" : cure_of_escape(c));
}

/* ---- brackets -------------------------------------------------------------------------------- */

/* The `]` of the bracket expression that begins at `p`. */
static const char *bracket_end(const char *p)
{
	p += p[1] == '^' ? 2 : 1;
	p += *p == ']';
	while (*p && *p != ']') {
		const char end[] = {p[1], ']', '\0'}, *found = NULL;

		if (*p == '[' && p[1] && strchr(":=.", p[1]))
			found = strstr(p + 2, end);
		p = found ? found + 2 : p + 1;
	}
	return p;
}

static bool looks_like_word_choice(const char *p, const char *end)
{
	const char *bar = memchr(p, '|', (size_t)(end - p));

	return bar && bar > p + 1 && end > bar + 2 && is_letter(bar[-1]) && is_letter(bar[1]);
}

/* A backslash takes no character's meaning away: `[\w]`, and `[^\]]` which ends early. */
static bool has_escape(const char *at, const char *end)
{
	return at[0] == '\\' && at[1] != '\\' && (at + 1 < end || at[2] == ']');
}

/* p stands at the `[`; it is moved on. */
static bool bracket_is_doubtful(struct reader *r)
{
	const char *p = r->p, *end = bracket_end(p);

	r->p = end + 1;
	if (p[1] == ':' && end[-1] == ':' && end > p + 2) {
		error_set(r->e, "%.*s is one of these letters", (int)(end + 1 - p), p);
		return doubt(r, p, "a class stands in two pairs of brackets: [[:digit:]]");
	}
	if (looks_like_word_choice(p, end)) {
		error_set(r->e, "%.*s is one character", (int)(end + 1 - p), p);
		return doubt(r, p, "words stand in parentheses: (one|other)");
	}
	for (const char *at = p + 1; at < end; at++) {
		if (has_escape(at, end)) {
			error_set(r->e, "\\ in [ ] is the character \\");
			return doubt(r, at, "leave it out; ] stands first in the list, - last");
		}
		if (at[1] == '-' && *at >= 'A' && *at <= 'Z' && at[2] >= 'a' && at[2] <= 'z') {
			error_set(r->e, "%.3s has [ \\ ] ^ _ ` in it", at);
			return doubt(r, at, "write [[:alpha:]], or A-Za-z");
		}
	}
	return false;
}

/* ---- repetition and anchors ------------------------------------------------------------------ */

/* `.*?` and `a++` of other expressions: here the match is as long as it can be. */
static bool repeat_is_doubtful(struct reader *r)
{
	char c = *r->p++;
	bool again = r->after_repeat && (c == '?' || c == '+');

	r->after_repeat = true;
	if (!again)
		return false;
	error_set(r->e, "%c after a repetition repeats once more: no match is short for it", c);
	return doubt(r, r->p - 1, "name what must not come in between, as in [^\"]*");
}

/* An anchor in the middle of a branch: nothing is before the start or behind the end. */
static bool anchor_is_doubtful(struct reader *r)
{
	const char *at = r->p++;
	bool start = *at == '^';

	if (start ? at == r->text || strchr("(|^", at[-1]) : !at[1] || strchr(")|$", at[1]))
		return false;
	error_set(r->e, "%c in the middle matches nowhere", *at);
	return doubt(r, at, start ? "\\^ is the character ^" : "\\$ is the character $");
}

static bool next_is_doubtful(struct reader *r)
{
	char c = *r->p;

	if (c == '*' || c == '+' || c == '?')
		return repeat_is_doubtful(r);
	if (c == '{') {
		r->p = strchr(r->p, '}') + 1;
		r->after_repeat = true;
		return false;
	}
	r->after_repeat = false;
	if (c == '\\')
		return escape_is_doubtful(r);
	if (c == '[')
		return bracket_is_doubtful(r);
	if (c == '^' || c == '$')
		return anchor_is_doubtful(r);
	r->p++;
	return false;
}

/* Does it match every line, because it can match nothing at all? */
static bool matches_everything(struct expression *x, struct error *e)
{
	struct program p;
	bool everything;

	if (program_new(&p, x, 0, e) < 0)
		return false;
	everything = x->root->nullable && !p.has_assertion;
	program_free(&p);
	return everything;
}

bool match_doubtful(const char *expression, struct error *e)
{
	struct reader r = {.text = expression, .p = expression, .e = e};
	struct expression x;
	bool everything;

	if (expression_parse(&x, expression, false, e) < 0)
		return false;
	everything = matches_everything(&x, e);
	expression_free(&x);
	error_clear(e);
	while (*r.p)
		if (next_is_doubtful(&r))
			return true;
	if (!everything)
		return false;
	error_set(e, "every line matches, as nothing at all does");
	return doubt(&r, expression, "+ is once or more; an alternative must not be empty");
}
