/*
 * Prometheus' text format, version 0.0.4: a metric's lines stand together below its HELP and TYPE.
 * One table of metrics for the rules, one for what is beside them.
 */
#include "status.h"

#include "base/array.h"

#include <string.h>

struct metric {
	const char *name; /* without "evwatch_" */
	const char *type; /* "counter", "gauge" */
	const char *help;
	const char *object; /* the member that holds it; NULL: the status itself, or the rule */
	const char *member;
};

static const struct metric of_process[] = {
    {"start_time_seconds", "gauge", "When it was armed, since the epoch.", NULL, "since"},
    {"reloads_total", "counter", "Reloads of the rules.", NULL, "reloads"},
    {"loop_turns_total", "counter", "Turns of the event loop.", "loop", "turns"},
    {"loop_latency_p50_seconds", "gauge", "Half of the turns took no longer.", "loop",
     "latency_p50"},
    {"loop_latency_p99_seconds", "gauge", "99 of 100 turns took no longer.", "loop", "latency_p99"},
    {"process_resident_memory_bytes", "gauge", "Memory of the process that runs the loop.",
     "process", "memory"},
    {"process_open_fds", "gauge", "Open descriptors of that process.", "process", "descriptors"},
    {"process_cpu_seconds_total", "counter", "CPU time of that process.", "process", "cpu"},
};

static const struct metric of_rule[] = {
    {"rule_events_total", "counter", "Events.", NULL, "events"},
    {"rule_runs_total", "counter", "Runs of the command that ended.", NULL, "runs"},
    {"rule_failures_total", "counter", "Runs that failed.", NULL, "failures"},
    {"rule_skipped_total", "counter", "Events dropped because the command ran.", NULL, "skipped"},
    {"rule_running", "gauge", "Commands that run.", NULL, "running"},
    {"rule_queued", "gauge", "Runs that wait.", NULL, "queued"},
    {"rule_last_status", "gauge", "Exit status of the last run.", NULL, "last_status"},
    {"rule_last_duration_seconds", "gauge", "Duration of the last run.", NULL, "last_duration"},
    {"rule_last_time_seconds", "gauge", "When the last run ended, since the epoch.", NULL,
     "last_time"},
    {"rule_last_failure_time_seconds", "gauge", "When the last run that failed ended.", NULL,
     "last_failure"},
    {"rule_duration_p50_seconds", "gauge", "Half of the runs took no longer.", NULL,
     "duration_p50"},
    {"rule_duration_p99_seconds", "gauge", "99 of 100 runs took no longer.", NULL, "duration_p99"},
    {"rule_next_time_seconds", "gauge", "When the next tick is due, since the epoch.", NULL,
     "next"},
    {"relay_connections", "gauge", "Connections that a relay carries.", "relay", "connections"},
    {"relay_accepted_total", "counter", "Connections that a relay accepted.", "relay", "accepted"},
    {"relay_refused_total", "counter", "Connections that a relay refused.", "relay", "refused"},
    {"file_directories", "gauge", "Directories that a file rule watches.", "files", "directories"},
    {"file_watches", "gauge", "Kernel watches of a file rule.", "files", "watches"},
    {"file_overflows_total", "counter", "Overflows of the kernel's queue.", "files", "overflows"},
};

static const struct metric of_target[] = {
    {"relay_target_connections", "gauge", "Connections to a target.", NULL, "connections"},
    {"relay_target_chosen_total", "counter", "How often a target was chosen.", NULL, "chosen"},
    {"relay_target_failed_total", "counter", "Connects to a target that failed.", NULL, "failed"},
    {"relay_target_sent_bytes_total", "counter", "Bytes to a target.", NULL, "bytes_to"},
    {"relay_target_received_bytes_total", "counter", "Bytes from a target.", NULL, "bytes_from"},
    {"relay_target_up", "gauge", "1 while a target passes its checks.", NULL, "up"},
};

/* A label's value: backslash, quote and line break are escaped. */
static void add_label(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n') {
			buf_add_text(out, "\\n");
			continue;
		}
		if (*value == '\\' || *value == '"')
			buf_add_char(out, '\\');
		buf_add_char(out, *value);
	}
	buf_add_char(out, '"');
}

static void add_head(struct buf *out, const struct metric *m)
{
	buf_printf(out, "# HELP evwatch_%s %s\n# TYPE evwatch_%s %s\n", m->name, m->help, m->name,
		   m->type);
}

static const struct json_value *value_of(const struct json_value *object, const struct metric *m)
{
	return json_get(m->object ? json_get(object, m->object) : object, m->member);
}

static void add_value(struct buf *out, const struct json_value *v)
{
	double n = v->type == JSON_NUMBER ? v->number : v->type == JSON_TRUE;

	if (n > -1e15 && n < 1e15 && n == (double)(long long)n)
		buf_printf(out, " %.0f\n", n);
	else
		buf_printf(out, " %.9f\n", n);
}

static void add_process(struct buf *out, const struct json_value *status)
{
	for (size_t i = 0; i < ARRAY_LENGTH(of_process); i++) {
		const struct json_value *v = value_of(status, &of_process[i]);

		if (!v)
			continue;
		add_head(out, &of_process[i]);
		buf_printf(out, "evwatch_%s", of_process[i].name);
		add_value(out, v);
	}
}

static void add_labels(struct buf *out, const struct json_value *rule, const char *target)
{
	buf_add_char(out, '{');
	add_label(out, "rule", json_text(rule, "name", ""));
	buf_add_char(out, ',');
	add_label(out, "kind", json_text(rule, "kind", ""));
	if (target) {
		buf_add_char(out, ',');
		add_label(out, "target", target);
	}
	buf_add_char(out, '}');
}

static void add_rules(struct buf *out, const struct json_value *rules, const struct metric *m)
{
	bool first = true;

	for (const struct json_value *rule = NULL; (rule = json_next(rules, rule));) {
		const struct json_value *v = value_of(rule, m);

		if (!v)
			continue;
		if (first)
			add_head(out, m);
		first = false;
		buf_printf(out, "evwatch_%s", m->name);
		add_labels(out, rule, NULL);
		add_value(out, v);
	}
}

static void add_targets(struct buf *out, const struct json_value *rules, const struct metric *m)
{
	bool first = true;

	for (const struct json_value *rule = NULL; (rule = json_next(rules, rule));) {
		const struct json_value *targets = json_get(json_get(rule, "relay"), "targets");

		for (const struct json_value *at = NULL; (at = json_next(targets, at));) {
			const struct json_value *v = value_of(at, m);

			if (!v)
				continue;
			if (first)
				add_head(out, m);
			first = false;
			buf_printf(out, "evwatch_%s", m->name);
			add_labels(out, rule, json_text(at, "target", ""));
			add_value(out, v);
		}
	}
}

void status_add_prometheus(struct buf *out, const struct json_value *status)
{
	const struct json_value *rules = json_get(status, "rules");

	buf_printf(out,
		   "# HELP evwatch_info The version that runs.\n# TYPE evwatch_info gauge\n"
		   "evwatch_info{version=\"%s\"} 1\n",
		   json_text(status, "version", ""));
	add_process(out, status);
	for (size_t i = 0; i < ARRAY_LENGTH(of_rule); i++)
		add_rules(out, rules, &of_rule[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(of_target); i++)
		add_targets(out, rules, &of_target[i]);
}
