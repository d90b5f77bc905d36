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
	struct log_look look;
	const struct buf *fields;
	log_writer *writer;
	void *context;
} the_log = {.level = LOG_WARN};

void log_setup(enum log_level level, bool json)
{
	the_log.level = level;
	the_log.json = json;
}

void log_set_look(struct log_look look)
{
	the_log.look = look;
}

void log_set_fields(const struct buf *fields)
{
	the_log.fields = fields;
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
			return; /* nobody reads it */
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
	if (the_log.fields && the_log.fields->length)
		buf_add(line, the_log.fields->data, the_log.fields->length);
	if (fields && fields->length)
		buf_add(line, fields->data, fields->length);
	buf_add_text(line, "}\n");
}

/* Milliseconds: what happens together is seen to. */
static void add_time(struct buf *line)
{
	struct timespec now;
	struct tm tm;
	char text[16];

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof text, "%H:%M:%S", &tm);
	buf_printf(line, "%s.%03ld ", text, now.tv_nsec / 1000000);
}

static void line_as_text(struct buf *line, enum log_level level, const char *rule, const char *text)
{
	static const int syslog_levels[] = {3, 4, 6, 7}; /* sd-daemon(3) */
	static const char *const colours[] = {"\033[31m", "\033[33m", NULL, NULL};
	const char *colour = the_log.look.colour ? colours[level] : NULL;

	if (the_log.look.journal)
		buf_printf(line, "<%d>", syslog_levels[level]);
	else if (the_log.look.time)
		add_time(line);
	buf_add_text(line, "evwatch: ");
	if (rule)
		buf_printf(line, "%s: ", rule);
	buf_add_text(line, colour ? colour : "");
	escape_control(line, text, strlen(text));
	buf_add_text(line, colour ? "\033[0m\n" : "\n");
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
		line_as_text(&line, level, rule, text.data ? text.data : format);
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
