/* See script.h. */
#include "rule/script.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/safe_open.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int find_lines(struct script *s)
{
	size_t n = 0;

	for (const char *c = s->text; (c = memchr(c, '\n', (size_t)(s->text + s->length - c))); c++)
		n++;
	s->lines = malloc((n + 1) * sizeof *s->lines);
	if (!s->lines)
		return -1;
	for (const char *c = s->text; (c = memchr(c, '\n', (size_t)(s->text + s->length - c))); c++)
		s->lines[s->n_lines++] = (size_t)(c - s->text) + 1;
	return 0;
}

struct script *script_new(const char *name, const char *text, size_t length)
{
	struct script *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->name = strdup(name);
	s->text = malloc(length + 1);
	if (!s->name || !s->text) {
		script_free(s);
		return NULL;
	}
	memcpy(s->text, text, length);
	s->text[length] = '\0';
	s->length = length;
	if (find_lines(s) == 0)
		return s;
	script_free(s);
	return NULL;
}

size_t script_line(const struct script *s, size_t offset, size_t *start)
{
	size_t low = 0, high = s->n_lines;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->lines[middle] <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	*start = low ? s->lines[low - 1] : 0;
	return low + 1;
}

void script_free(struct script *s)
{
	if (!s)
		return;
	free(s->lines);
	free(s->name);
	free(s->text);
	free(s);
}

static int read_all(int fd, struct buf *b)
{
	for (;;) {
		ssize_t n;

		if (buf_reserve(b, 65536) < 0)
			return -1;
		n = read(fd, b->data + b->length, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		b->length += (size_t)n;
	}
}

/* Who else may write what root runs is root. A pipe of the shell's, as <(...), is waited for. */
static int open_rules(const char *path, struct error *e)
{
	int fd = safe_open(path, O_RDONLY, 0, SAFE_INHERITED | SAFE_TRUSTED, "cannot read", e);

	if (fd >= 0 && fd_set_nonblocking(fd, false) < 0) {
		error_errno(e, "cannot read %s", path);
		fd_close(&fd);
	}
	return fd;
}

struct script *script_read(const char *path, struct error *e)
{
	bool standard = strcmp(path, "-") == 0;
	const char *name = standard ? "standard input" : path;
	int fd = standard ? 0 : open_rules(path, e);
	struct script *s = NULL;
	struct buf b = {0};

	if (fd < 0)
		return NULL;
	if (read_all(fd, &b) == 0)
		s = script_new(name, b.data ? b.data : "", b.length);
	if (!s)
		error_errno(e, "cannot read %s", name);
	if (!standard)
		fd_close(&fd);
	buf_free(&b);
	return s;
}

struct script *script_from_arguments(const char *name, char *const *arguments, size_t count,
				     struct words *words)
{
	struct script *s = NULL;
	struct buf b = {0};

	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_add_char(&b, ' ');
		if (words_add(words, arguments[i], b.length, false) < 0)
			b.failed = true;
		shell_quote(&b, arguments[i]);
	}
	if (!b.failed)
		s = script_new(name, b.data ? b.data : "", b.length);
	buf_free(&b);
	return s;
}
