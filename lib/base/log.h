/*
 * The diagnostics of the whole process: the one mutable global.
 *
 * A line is `evwatch: RULE: text` (or a JSON object with --log json) on standard error. Lines go
 * through a writer that cmd/ may replace by one that never blocks; control characters in what came
 * from outside are escaped here, so that callers need not.
 */
#ifndef EVWATCH_BASE_LOG_H
#define EVWATCH_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

enum log_level {
	LOG_ERROR, /* always */
	LOG_WARN,  /* unless --quiet */
	LOG_INFO,  /* --verbose: every event, start and end */
	LOG_DEBUG, /* -vv: the loop */
};

/* Takes one whole line, its line break included; must not block and must not log. */
typedef void log_writer(void *context, const char *line, size_t length);

/* Sets which levels are printed (LOG_WARN at start), and in which form. */
void log_setup(enum log_level level, bool json);

/* How a line of text looks. */
struct log_look {
	bool time;    /* the time of day in front */
	bool colour;  /* errors red, warnings yellow */
	bool journal; /* a level in front, as systemd's journal takes it: <3> */
};
void log_set_look(struct log_look look);

/* Members of the JSON objects to come, each after a comma; NULL: none any more. Borrowed. */
void log_set_fields(const struct buf *fields);

/* Replaces the writer; NULL restores the plain write(2) to descriptor 2. */
void log_set_writer(log_writer *writer, void *context);

/* Writes a whole line that another process of ours made for its log. */
void log_pass_on(const char *line, size_t length);

/* Are lines JSON objects? */
bool log_is_json(void);

/* As below, with further members of the JSON object: each after a comma. The text has none. */
void log_fields(enum log_level level, const char *rule, const struct buf *fields,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Is a line of this level printed? For callers whose arguments are costly to make. */
bool log_wants(enum log_level level);

/* One line about `rule` (NULL: the whole process). errno is kept. */
void log_error(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
