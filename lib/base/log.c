/* See log.h. */
#include "base/log.h"

#include "base/buf.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static struct {
	enum log_level level;
	bool json;
	log_writer *writer;
	void *context;
} the_log = {.level = LOG_WARN};

void log_setup(enum log_level level, bool json)
{
	the_log.level = level;
	the_log.json = json;
}

void log_set_writer(log_writer *writer, void *context)
{
	the_log.writer = writer;
	the_log.context = context;
}

bool log_is_json(void)
{
	return the_log.json;
}

bool log_wants(enum log_level level)
{
	return level <= the_log.level;
}

static void write_plainly(const char *line, size_t length)
{
	while (length) {
		ssize_t n = write(2, line, length);

		if (n < 0 && errno != EINTR)
			return; /* nobody is left to be told */
		if (n > 0) {
			line += n;
			length -= (size_t)n;
		}
	}
}

void log_pass_on(const char *line, size_t length)
{
	if (the_log.writer)
		the_log.writer(the_log.context, line, length);
	else
		write_plainly(line, length);
}

static void line_as_json(struct buf *line, enum log_level level, const char *rule,
			 const struct buf *fields, const char *text)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	buf_printf(line, "{\"time\":%lld.%09ld,\"level\":\"%s\",", (long long)now.tv_sec,
		   now.tv_nsec, level_names[level]);
	if (rule) {
		buf_add_text(line, "\"rule\":");
		json_add_string(line, rule, strlen(rule));
		buf_add_char(line, ',');
	}
	buf_add_text(line, "\"message\":");
	json_add_string(line, text, strlen(text));
	if (fields && fields->length)
		buf_add(line, fields->data, fields->length);
	buf_add_text(line, "}\n");
}

static void line_as_text(struct buf *line, const char *rule, const char *text)
{
	buf_add_text(line, "evwatch: ");
	if (rule)
		buf_printf(line, "%s: ", rule);
	escape_control(line, text, strlen(text));
	buf_add_char(line, '\n');
}

__attribute__((format(printf, 4, 0))) static void log_line(enum log_level level, const char *rule,
							   const struct buf *fields,
							   const char *format, va_list ap)
{
	struct buf text = {0}, line = {0};
	int saved = errno;

	if (!log_wants(level))
		return;
	buf_vprintf(&text, format, ap);
	if (the_log.json)
		line_as_json(&line, level, rule, fields, text.data ? text.data : format);
	else
		line_as_text(&line, rule, text.data ? text.data : format);
	if (line.failed)
		write_plainly("evwatch: out of memory\n", 23);
	else
		log_pass_on(line.data, line.length);
	buf_free(&line);
	buf_free(&text);
	errno = saved;
}

void log_fields(enum log_level level, const char *rule, const struct buf *fields,
		const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_line(level, rule, fields, format, ap);
	va_end(ap);
}

#define LOG_VERB(verb, level)                                                                      \
	void verb(const char *rule, const char *format, ...)                                       \
	{                                                                                          \
		va_list ap;                                                                        \
		va_start(ap, format);                                                              \
		log_line(level, rule, NULL, format, ap);                                           \
		va_end(ap);                                                                        \
	}

LOG_VERB(log_error, LOG_ERROR)
LOG_VERB(log_warn, LOG_WARN)
LOG_VERB(log_info, LOG_INFO)
LOG_VERB(log_debug, LOG_DEBUG)
