/* See text.h. */
#include "base/text.h"

#include <stdint.h>
#include <string.h>

static const char *control_escape(unsigned char c, char room[5])
{
	static const char digits[] = "0123456789abcdef";

	switch (c) {
	case '\n':
		return "\\n";
	case '\t':
		return "\\t";
	case '\r':
		return "\\r";
	default:
		memcpy(room, "\\x", 2);
		room[2] = digits[c >> 4];
		room[3] = digits[c & 15];
		room[4] = '\0';
		return room;
	}
}

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* The length of the UTF-8 sequence at `s`, or 0 when there is none; *code is its character. */
static size_t utf8_decode(const unsigned char *s, size_t left, uint32_t *decoded)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;
	uint32_t code;

	*decoded = s[0];
	if (n <= 1)
		return n;
	if (n > left || s[0] > 0xf4)
		return 0;
	code = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3fu);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*decoded = code;
	return n;
}

static size_t utf8_length(const unsigned char *s, size_t left)
{
	uint32_t code;

	return utf8_decode(s, left, &code);
}

/* U+0080 to U+009F, and what changes the direction of the text after it (Unicode, UAX 9). */
static bool is_unsafe(uint32_t code)
{
	return (code >= 0x80 && code <= 0x9f) || code == 0x61c || code == 0x200e ||
	       code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

size_t text_unsafe(const char *text, size_t left)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t code;
	size_t n;

	if (s[0] < 0x80)
		return is_control(s[0]);
	n = utf8_decode(s, left, &code);
	/* Alone, the byte is such a character to a terminal that does not speak UTF-8. */
	if (!n)
		return s[0] <= 0x9f;
	return is_unsafe(code) ? n : 0;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f;
}

/* One character from `text` on, escaped where it is not safe. Returns its length. */
static size_t escape_one(struct buf *out, const char *text, size_t left)
{
	size_t n = text_unsafe(text, left);
	char room[5];

	for (size_t i = 0; i < n; i++)
		buf_add_text(out, control_escape((unsigned char)text[i], room));
	if (n)
		return n;
	n = utf8_length((const unsigned char *)text, left);
	n = n ? n : 1;
	buf_add(out, text, n);
	return n;
}

void escape_control(struct buf *out, const char *text, size_t length)
{
	for (size_t i = 0, start; i < length;) {
		for (start = i; i < length && is_plain((unsigned char)text[i]); i++)
			;
		buf_add(out, text + start, i - start);
		if (i < length)
			i += escape_one(out, text + i, length - i);
	}
}

void escape_word(struct buf *out, const char *text, size_t length)
{
	for (size_t i = 0, start; i < length;) {
		for (start = i; i < length && is_plain((unsigned char)text[i]) && text[i] != ' ' &&
				text[i] != '\\';
		     i++)
			;
		buf_add(out, text + start, i - start);
		if (i == length)
			break;
		if (text[i] == ' ' || text[i] == '\\')
			buf_add_text(out, text[i++] == ' ' ? "\\040" : "\\\\");
		else
			i += escape_one(out, text + i, length - i);
	}
}

bool utf8_valid(const char *text, size_t length)
{
	for (size_t i = 0, n; i < length; i += n) {
		n = utf8_length((const unsigned char *)text + i, length - i);
		if (!n)
			return false;
	}
	return true;
}

void json_add_string(struct buf *out, const char *text, size_t length)
{
	buf_add_char(out, '"');
	for (size_t i = 0, n; i < length; i += n) {
		unsigned char c = (unsigned char)text[i];
		uint32_t code;

		n = utf8_decode((const unsigned char *)text + i, length - i, &code);
		if (n == 0) {
			buf_add_text(out, "\xef\xbf\xbd"); /* U+FFFD */
			n = 1;
		} else if (c == '"' || c == '\\') {
			buf_add_char(out, '\\');
			buf_add_char(out, (char)c);
		} else if (is_control(c) || is_unsafe(code)) {
			buf_printf(out, "\\u%04x", (unsigned)code);
		} else {
			buf_add(out, text + i, n);
		}
	}
	buf_add_char(out, '"');
}

void base64_add(struct buf *out, const void *bytes, size_t length)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *s = bytes;

	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t three = (uint32_t)s[i] << 16;

		if (left > 1)
			three |= (uint32_t)s[i + 1] << 8;
		if (left > 2)
			three |= s[i + 2];
		buf_add_char(out, digits[three >> 18]);
		buf_add_char(out, digits[three >> 12 & 63]);
		buf_add_char(out, left > 1 ? digits[three >> 6 & 63] : '=');
		buf_add_char(out, left > 2 ? digits[three & 63] : '=');
	}
}

void shell_quote(struct buf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-+=./:,@%^";

	if (*word && word[strspn(word, plain)] == '\0') {
		buf_add_text(out, word);
		return;
	}
	buf_add_char(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			buf_add_text(out, "'\\''");
		else
			buf_add_char(out, *word);
	}
	buf_add_char(out, '\'');
}

enum { LONGEST_WORD = 40 };

static size_t least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance: one for an insertion, deletion, substitution or swap. */
static size_t typing_distance(const char *a, size_t la, const char *b, size_t lb)
{
	size_t rows[3][LONGEST_WORD + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= lb; j++)
		above[j] = j;
	memcpy(before, above, sizeof rows[0]);
	for (size_t i = 1; i <= la; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			row[j] = least_of(above[j], row[j - 1]) + 1;
			row[j] = least_of(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least_of(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[lb];
}

const char *nearest_word(const char *typed, const char *const *words)
{
	size_t length = strlen(typed), best = length > 3 ? length / 3 + 1 : 1;
	const char *nearest = NULL;

	if (length > LONGEST_WORD)
		return NULL;
	for (; *words; words++) {
		size_t other = strlen(*words), distance;

		if (other > LONGEST_WORD)
			continue;
		distance = typing_distance(typed, length, *words, other);
		if (distance < best || (distance == best && !nearest && distance < length)) {
			best = distance;
			nearest = *words;
		}
	}
	return nearest;
}

void text_remove_nuls(char *text, size_t length)
{
	char *to = text;

	if (!memchr(text, '\0', length))
		return;
	for (size_t i = 0; i < length; i++)
		if (text[i])
			*to++ = text[i];
	*to = '\0';
}
