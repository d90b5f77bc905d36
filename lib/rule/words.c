/* The words of a script, as the shell splits them, and the text of a command. See script.h. */
#include "rule/script.h"

#include "base/array.h"
#include "base/error.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int words_add(struct words *w, const char *text, size_t offset, bool quoted)
{
	struct word *added;

	if (ARRAY_GROW(w->items, w->capacity, w->count + 1) < 0)
		return -1;
	added = &w->items[w->count];
	added->text = strdup(text);
	added->offset = offset;
	added->quoted = quoted;
	if (!added->text)
		return -1;
	w->count++;
	return 0;
}

void words_free(struct words *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->items[i].text);
	free(w->items);
	*w = (struct words){0};
}

/* ---- splitting ------------------------------------------------------------------------------- */

struct splitter {
	const char *text;
	size_t at, end;
	struct buf word;
	bool quoted;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* The end of a line that `\\` or CR stands before is a blank, too. Its length, or 0. */
static size_t line_break_length(const struct splitter *s)
{
	size_t n = s->text[s->at] == '\\';

	n += s->at + n < s->end && s->text[s->at + n] == '\r';
	return n && s->at + n < s->end && s->text[s->at + n] == '\n' ? n + 1 : 0;
}

/* Does a line's first word begin here, with `#`? */
static bool at_comment(const struct splitter *s)
{
	size_t i = s->at;

	if (s->text[i] != '#')
		return false;
	while (i > 0 && (s->text[i - 1] == ' ' || s->text[i - 1] == '\t'))
		i--;
	return i > 0 && s->text[i - 1] == '\n';
}

static void skip_blanks(struct splitter *s)
{
	while (s->at < s->end) {
		size_t n = is_blank(s->text[s->at]) ? 1 : line_break_length(s);

		if (!n && !at_comment(s))
			return;
		s->at += n;
		while (!n && s->at < s->end && s->text[s->at] != '\n')
			s->at++;
	}
}

/* Characters that look like those of the syntax, and come with text that is pasted. */
static const struct look_alike {
	const char *bytes, *what, *cure;
} look_alikes[] = {
    {"\xc2\xa0", "a no-break space", "a blank"},
    {"\xe2\x80\x89", "a thin space", "a blank"},
    {"\xe2\x80\xaf", "a narrow no-break space", "a blank"},
    {"\xe3\x80\x80", "an ideographic space", "a blank"},
    {"\xe2\x80\x8b", "a zero width space", "nothing"},
    {"\xef\xbb\xbf", "a byte order mark", "nothing"},
    {"\xe2\x80\x98", "a curly quote", "'"},
    {"\xe2\x80\x99", "a curly quote", "'"},
    {"\xe2\x80\x9c", "a curly quote", "\""},
    {"\xe2\x80\x9d", "a curly quote", "\""},
    {"\xe2\x80\x90", "a hyphen that is no minus", "-"},
    {"\xe2\x80\x91", "a no-break hyphen", "-"},
    {"\xe2\x80\x93", "an en dash", "- or --"},
    {"\xe2\x80\x94", "an em dash", "--"},
    {"\xe2\x88\x92", "a minus sign that is no ASCII", "-"},
};

static const struct look_alike *look_alike_at(const char *text)
{
	if ((unsigned char)*text < 0x80)
		return NULL;
	for (size_t i = 0; i < ARRAY_LENGTH(look_alikes); i++)
		if (strncmp(text, look_alikes[i].bytes, strlen(look_alikes[i].bytes)) == 0)
			return &look_alikes[i];
	return NULL;
}

int look_alike_check(const char *word, struct error *e)
{
	const struct look_alike *l = look_alike_at(word);

	if (!l)
		return 0;
	error_set(e, "%s", l->what);
	return error_hint(e, "write %s, or ./ before the name of a file", l->cure);
}

static int fault_look_alike(const struct look_alike *l, struct error *e)
{
	error_set(e, "%s", l->what);
	return error_hint(e, "write %s; only in quotes it stands for itself", l->cure);
}

/* Reads a quoted part, its opening quote included. False when it never closes. */
static bool read_quoted(struct splitter *s)
{
	char quote = s->text[s->at++];

	s->quoted = true;
	for (; s->at < s->end; s->at++) {
		char c = s->text[s->at];

		if (c == quote) {
			s->at++;
			return true;
		}
		if (c == '\\' && quote == '"' && s->at + 1 < s->end &&
		    strchr("\"\\$`\n", s->text[s->at + 1])) {
			c = s->text[++s->at];
			if (c == '\n')
				continue;
		}
		buf_add_char(&s->word, c);
	}
	return false;
}

/* A backslash takes the next character as it is; before a line break both vanish. */
static void read_escaped(struct splitter *s)
{
	s->at++;
	s->quoted = true;
	if (s->at == s->end) {
		buf_add_char(&s->word, '\\');
		return;
	}
	if (s->text[s->at] != '\n')
		buf_add_char(&s->word, s->text[s->at]);
	s->at++;
}

/* Returns 0, or -1 with *fault at the quote that is open, or at the look-alike. */
static int read_word(struct splitter *s, size_t *fault, struct error *e)
{
	buf_clear(&s->word);
	s->quoted = false;
	while (s->at < s->end && !is_blank(s->text[s->at])) {
		const struct look_alike *look_alike = look_alike_at(s->text + s->at);
		char c = s->text[s->at];

		*fault = s->at;
		if (look_alike)
			return fault_look_alike(look_alike, e);
		if (c == '\r' && line_break_length(s))
			break;
		if (c == '\'' || c == '"') {
			if (!read_quoted(s))
				return error_set(e, "this quote is never closed");
		} else if (c == '\\' && line_break_length(s)) {
			s->at += line_break_length(s); /* the word goes on in the next line */
		} else if (c == '\\') {
			read_escaped(s);
		} else {
			buf_add_char(&s->word, c);
			s->at++;
		}
	}
	return 0;
}

static bool is_separator(const struct splitter *s)
{
	return !s->quoted && s->word.length == 2 && memcmp(s->word.data, "--", 2) == 0;
}

/* One word into `words`. Returns 1 at the separator, 0 to go on, -1 on a fault. */
static int split_one(struct splitter *s, struct words *words, size_t *fault, struct error *e)
{
	size_t start = s->at;

	if (read_word(s, fault, e) < 0)
		return -1;
	if (is_separator(s))
		return 1;
	*fault = start;
	if (buf_reserve(&s->word, 0) < 0 || words_add(words, s->word.data, start, s->quoted) < 0)
		return error_errno(e, "cannot read the rule");
	return 0;
}

int script_split(const struct script *script, size_t start, size_t end, struct words *words,
		 size_t *rest, size_t *fault, struct error *e)
{
	struct splitter s = {.text = script->text, .at = start, .end = end};
	int result = 0;

	for (skip_blanks(&s); s.at < s.end && result == 0; skip_blanks(&s)) {
		result = split_one(&s, words, fault, e);
		if (result > 0)
			break;
	}
	*rest = result > 0 ? s.at : SIZE_MAX;
	buf_free(&s.word);
	return result < 0 ? -1 : 0;
}

/* Adds a line of a command: without the indentation that all lines share, and CR before LF. */
static void add_line(struct buf *b, const char *line, size_t length, size_t indent)
{
	while (indent && length && (*line == ' ' || *line == '\t')) {
		line++;
		length--;
		indent--;
	}
	if (length > 1 && memcmp(line + length - 2, "\r\n", 2) == 0) {
		buf_add(b, line, length - 2);
		buf_add_char(b, '\n');
	} else {
		buf_add(b, line, length);
	}
}

char *script_command(const struct script *s, size_t start, size_t end, size_t indent)
{
	struct buf b = {0};

	while (start < end && (is_blank(s->text[start]) || s->text[start] == '\r'))
		start++;
	for (size_t at = start; at < end;) {
		const char *line = s->text + at;
		const char *stop = memchr(line, '\n', end - at);
		size_t length = stop ? (size_t)(stop - line) + 1 : end - at;

		if (*line != '#' || at == start)
			add_line(&b, line, length, at == start ? 0 : indent);
		at += length;
	}
	while (b.length && is_blank(b.data[b.length - 1]))
		b.data[--b.length] = '\0';
	return buf_take(&b);
}
