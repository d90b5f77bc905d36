/* What the tool `status` reports, as one JSON object. See evwatch(1), "THE CONTROL SOCKET". */
#include "engine/state.h"

#include "base/histogram.h"
#include "base/proc.h"
#include "base/scan.h"
#include "base/text.h"
#include "base/units.h"
#include "rule/rule.h"
#include "source/source.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void add_seconds(struct buf *out, const char *name, int64_t ns)
{
	buf_printf(out, ",\"%s\":%lld.%09lld", name, (long long)(ns / NS_PER_S),
		   (long long)(ns % NS_PER_S));
}

static void add_count(struct buf *out, const char *name, uint64_t n)
{
	buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)n);
}

static void add_percentile(struct buf *out, const char *name, const struct histogram *h,
			   int percent)
{
	int64_t ns = histogram_percentile(h, percent);

	if (ns >= 0)
		add_seconds(out, name, ns);
}

/* ---- one rule -------------------------------------------------------------------------------- */

static const char *state_of(const struct armed_rule *a)
{
	if (a->paused)
		return "paused";
	return a->over || (a->source_ended && !a->job) ? "ended" : "armed";
}

static void add_about(struct buf *out, const struct rule *rule)
{
	struct buf about = {0};

	if (rule->type->describe)
		rule->type->describe(rule->source_config, &about);
	if (!about.failed && about.length) {
		buf_add_text(out, ",\"about\":");
		json_add_string(out, about.data, about.length);
	}
	buf_free(&about);
}

static void add_failure(struct buf *out, const struct job_stats *stats)
{
	if (!stats->last_failure)
		return;
	add_seconds(out, "last_failure", stats->last_failure);
	buf_printf(out, ",\"last_failure_status\":%d", stats->last_failure_status);
}

static void add_job(struct buf *out, const struct armed_rule *a)
{
	const struct histogram *durations = job_durations(a->job);
	struct job_stats stats;

	job_stats(a->job, &stats);
	add_count(out, "runs", a->before.runs + stats.runs);
	add_count(out, "failures", a->before.failures + stats.failures);
	add_count(out, "skipped", a->before.skipped + stats.skipped);
	add_count(out, "running", stats.running);
	add_count(out, "queued", links_queued(a));
	add_failure(out, stats.last_failure ? &stats : &a->before);
	if (stats.last_status < 0)
		return;
	buf_printf(out, ",\"last_status\":%d%s", stats.last_status,
		   stats.last_stopped ? ",\"last_stopped\":true" : "");
	add_seconds(out, "last_duration", stats.last_duration);
	add_seconds(out, "last_time", stats.last_end);
	add_percentile(out, "duration_p50", durations, 50);
	add_percentile(out, "duration_p99", durations, 99);
}

static void add_next(struct buf *out, const struct armed_rule *a)
{
	int64_t left;

	if (a->open && !a->source_ended && a->rule->type->due_in &&
	    a->rule->type->due_in(a->source, &left))
		add_seconds(out, "next", clock_read(CLOCK_OF_WALL) + (left > 0 ? left : 0));
}

static void add_rule(struct buf *out, const struct armed_rule *a)
{
	const struct rule *rule = a->rule;

	buf_add_text(out, "{\"name\":");
	json_add_string(out, rule->name, strlen(rule->name));
	buf_printf(out, ",\"kind\":\"%s\",\"state\":\"%s\"", rule->type->name, state_of(a));
	add_about(out, rule);
	add_count(out, "events", a->before_events + a->events);
	if (a->job)
		add_job(out, a);
	add_next(out, a);
	if (a->open && rule->type->status)
		rule->type->status(a->source, out);
	buf_add_char(out, '}');
}

/* ---- the whole process ----------------------------------------------------------------------- */

/* Linux 6.2 says how many as the directory's size; others list them. */
static uint64_t count_descriptors(void)
{
	struct stat st;
	uint64_t n = 0;
	DIR *d;

	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		return (uint64_t)st.st_size;
	d = opendir("/proc/self/fd");
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n > 3 ? n - 3 : 0; /* ".", "..", and its own */
}

static uint64_t resident_bytes(void)
{
	char text[128];
	const char *at = text;
	uint64_t resident;

	proc_text("/proc/self/statm", text, sizeof text);
	if (!scan_skip(&at, 1) || !scan_number(&at, 10, &resident))
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int64_t ns_of(struct timeval t)
{
	return t.tv_sec * NS_PER_S + t.tv_usec * NS_PER_US;
}

static void add_process(struct buf *out)
{
	struct rusage use;

	buf_add_text(out, ",\"process\":{\"pid\":");
	buf_printf(out, "%d", (int)getpid());
	add_count(out, "memory", resident_bytes());
	add_count(out, "descriptors", count_descriptors());
	if (getrusage(RUSAGE_SELF, &use) == 0)
		add_seconds(out, "cpu", ns_of(use.ru_utime) + ns_of(use.ru_stime));
	buf_add_char(out, '}');
}

static void add_loop(struct buf *out, const struct engine *e)
{
	buf_printf(out, ",\"loop\":{\"backend\":\"%s\"", reactor_backend(e->reactor));
	add_count(out, "turns", e->turns.count);
	add_percentile(out, "latency_p50", &e->turns, 50);
	add_percentile(out, "latency_p99", &e->turns, 99);
	buf_add_char(out, '}');
}

void status_add(struct buf *out, struct engine *e)
{
	static const char *const phases[] = {
	    [ENGINE_RUNNING] = "running",
	    [ENGINE_STOPPING] = "stopping",
	    [ENGINE_LEFTOVERS] = "stopping",
	    [ENGINE_DONE] = "stopping",
	};
	int64_t now = clock_read(CLOCK_OF_WALL);

	buf_printf(out, "{\"ok\":true,\"version\":\"%s\",\"phase\":\"%s\"", EVWATCH_VERSION,
		   phases[e->phase]);
	add_seconds(out, "time", now);
	add_seconds(out, "since", e->since);
	add_count(out, "runs", e->runs);
	add_count(out, "reloads", e->n_reloads);
	add_loop(out, e);
	add_process(out);
	buf_add_text(out, ",\"rules\":[");
	for (size_t i = 0, n = 0; i < e->n_rules; i++) {
		if (e->rules[i]->retired)
			continue;
		if (n++)
			buf_add_char(out, ',');
		add_rule(out, e->rules[i]);
	}
	buf_add_text(out, "]}\n");
}
