/* The names that other tools have for what evwatch calls otherwise. See foreign.h. */
#include "rule/foreign.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct name {
	const char *kinds; /* where it means this, as " file lines "; NULL: everywhere */
	const char *name;
	const char *meaning; /* the hint; of an option that is only called otherwise: that option */
	const char *example; /* a value for the hint where the user gave none; NULL: a whole hint */
};

static const struct name options[] = {
    /* entr, watchexec, nodemon, inotifywait, fswatch, reflex, chokidar */
    {" file ", "-r",
     "leave it out: sub-directories are always watched (-r of entr is --on-busy restart)", NULL},
    {" file every cron calendar signal lines probe ", "--restart",
     "--on-busy restart stops the command on a new event and runs it again", NULL},
    {" file ", "-R", "directories are watched with all below them; see --no-recursive", NULL},
    {" file ", "--recursive", "directories are watched with all below them; see --no-recursive",
     NULL},
    {" file ", "--filter", "--match", "*.c"},
    {" file ", "--include", "--match", "*.c"},
    {" file ", "--includei", "--match", "*.[cC]"},
    {" file ", "--pattern", "--match", "*.c"},
    {" file ", "--glob", "--match", "*.c"},
    {" file ", "--ext", "--match", "c,h"},
    {" file ", "--exts", "--match", "c,h"},
    {" file ", "--extensions", "--match", "c,h"},
    {" file ", "--exclude", "--ignore", "*.o"},
    {" file ", "--excludei", "--ignore", "*.[oO]"},
    {" file ", "--skip", "--ignore", "*.o"},
    {" file ", "--no-vcs-ignore", "nothing is ignored unless --gitignore or --ignore says so",
     NULL},
    {" file ", "--no-ignore", "nothing is ignored unless --gitignore or --ignore says so", NULL},
    {" file ", "--monitor", "evwatch goes on until it is stopped; --once ends at the first event",
     NULL},
    {" file ", "-m", "evwatch goes on until it is stopped; --once ends at the first event", NULL},
    {" file ", "--event", "--events", "create,delete"},
    {" file ", "-p", "the command is run on the first change; --initial runs it at the start too",
     NULL},
    {" file ", "--postpone",
     "the command is run on the first change; --initial runs it at the start too", NULL},
    {" file ", "--legacy-polling", "--poll", "1s"},
    {" file ", "--force-poll", "--poll", "1s"},
    {" file ", "--watch", "paths come after the kind: evwatch file src lib -- make", NULL},
    {NULL, "--delay", "--debounce", "500ms"},
    {NULL, "--delay-run", "--debounce", "500ms"},
    {NULL, "--no-shell", "two or more words after -- are executed without a shell", NULL},
    {NULL, "--exec", "the command comes after --, as in: evwatch file src -- make", NULL},
    {NULL, "--command", "the command comes after --, as in: evwatch file src -- make", NULL},
    {NULL, "--kill-signal", "--stop-signal", "KILL"},
    {NULL, "--kill-after", "--stop-timeout", "3s"},
    {NULL, "--workdir", "--cwd", "DIR"},
    {NULL, "--directory", "--cwd", "DIR"},
    {NULL, "--chdir", "--cwd", "DIR"},
    {NULL, "--parallel", "--jobs", "4"},
    {NULL, "--max-procs", "--jobs", "4"},
    {NULL, "-P", "--jobs", "4"},
    {" probe ", "--retries", "--within says how long to wait: --once --within 60s", NULL},
    {NULL, "--retries", "--retry", "3"},
    {NULL, "--max-retries", "--retry", "3"},
    {NULL, "--logfile", "--output", "FILE"},
    {NULL, "--log-file", "--output", "FILE"},
    {" file ", "-s", "--stop-signal", "KILL"},
    {" file ", "--batch", "--debounce", "500ms"},
    {" file ", "--latency", "--debounce", "500ms"},
    {" file ", "--fromfile", "--paths-from", "FILE"},
    {" file ", "--exclude-dir", "--ignore", "node_modules"},
    {" file ", "--on-busy-update", "--on-busy", "restart"},
    {" file ", "--timefmt", "--format '%t' prints the time of an event", NULL},
    {" file lines ", "--outfile", "--output FILE takes what a command writes; > FILE takes events",
     NULL},
    {" file ", "--ignore-case", "a pattern lists both letters: --match '*.[jJ][pP][gG]'", NULL},
    {" file ", "--imatch", "a pattern lists both letters: --match '*.[jJ][pP][gG]'", NULL},
    {" listen relay probe ", "--port", "a port is an argument, as in 5432 or db:5432", NULL},
    {" listen relay probe ", "-p", "a port is an argument, as in 5432 or db:5432", NULL},
    {" listen relay probe ", "--host", "host and port are one argument: db:5432", NULL},
    {" every ", "--interval", "the period is an argument: every 5m", NULL},
    {" every after at cron calendar ", "--at", "cron has times of day: cron '0 3 * * *'", NULL},
    {" every after at cron calendar ", "--daily", "cron has times of day: cron '0 3 * * *'", NULL},
    {NULL, "--immediate", "it is called --initial here", NULL},
    {NULL, "-o", "--on-busy", "restart"},
    {NULL, "--overlap", "--on-busy parallel runs one beside the other", NULL},
    {NULL, "--no-overlap", "--on-busy skip or queue, without --jobs: one at a time", NULL},
    {" signal ", "-s", "signals are arguments: signal HUP USR1", NULL},
    {" listen relay probe ", "--tls", "evwatch speaks no TLS: put nginx or stunnel before it",
     NULL},
    {" cron calendar every ", "--persistent", "--catch-up", "DIR"},
    {" cron calendar every ", "--randomized-delay", "--jitter", "30s"},
    {NULL, "--on-boot", "--initial runs the command once when evwatch starts", NULL},
    {" run ", "--restart-sec", "--backoff waits before each start: --backoff 5s:5s", NULL},
    {" run ", "--startretries", "--retry", "3"},
    /* tail, grep, fail2ban */
    {" lines ", "--since", "read the journal with --of 'journalctl -f'", NULL},
    {" lines ", "-F", "it is called --follow here", NULL},
    {" lines ", "--tail", "it is called --follow here; it begins at the end of the file", NULL},
    {" lines ", "--regex", "--match", "Failed .* from ([0-9.]+)"},
    {" lines ", "--regexp", "--match", "Failed .* from ([0-9.]+)"},
    {" lines ", "--grep", "--match", "Failed .* from ([0-9.]+)"},
    {" lines ", "-E", "--match", "Failed .* from ([0-9.]+)"},
    {" lines ", "--invert-match", "it is called --invert here", NULL},
    {" lines ", "--filter", "--match", "Failed .* from ([0-9.]+)"},
    /* socat, ncat, tcpserver, wait-for-it */
    {" listen ", "--fork", "each connection has a run of its own; --jobs says how many at once",
     NULL},
    {" listen ", "--keep-open", "evwatch listens until it is stopped", NULL},
    {" listen ", "-k", "evwatch listens until it is stopped", NULL},
    {" listen ", "-l", "evwatch listen PORT listens already", NULL},
    {" probe ", "--wait", "--within says how long to wait: --once --within 60s", NULL},
    {" probe ", "--strict", "the status says it: evwatch probe db:5432 --once --within 60s && ...",
     NULL},
    {" probe ", "-t", "--within says how long to wait: --once --within 60s", NULL},
    /* cron, systemd, supervisord */
    {NULL, "--timezone", "--tz", "Europe/Berlin"},
    {NULL, "--every", "every is a kind: evwatch every 5m -- COMMAND", NULL},
    {NULL, "--cron", "cron is a kind: evwatch cron '15 3 * * *' -- COMMAND", NULL},
    {NULL, "--on-calendar", "calendar is a kind: evwatch calendar 'Mon..Fri 09:00' -- COMMAND",
     NULL},
    {NULL, "--daemon", "evwatch stays in the foreground: start it with & or as a service", NULL},
    {NULL, "--daemonize", "evwatch stays in the foreground: start it with & or as a service", NULL},
    {NULL, "--background", "evwatch stays in the foreground: start it with & or as a service",
     NULL},
    {NULL, "-d", "evwatch stays in the foreground: start it with & or as a service", NULL},
    {NULL, "--pid-file", "it is called --pidfile here", NULL},
    {NULL, "--config", "rules come from a file with -f FILE", NULL},
};

static const struct name kinds[] = {
    {.name = "kill", .meaning = "evwatch stop RULE stops the command of a rule"},
    {.name = "list", .meaning = "evwatch status lists the rules at work"},
    {.name = "version", .meaning = "it is an option: evwatch --version"},
    {.name = "start", .meaning = "evwatch trigger RULE runs the command of a rule"},
    {.name = "restart", .meaning = "evwatch trigger RULE runs the command of a rule"},
    {.name = "include", .meaning = "rules of several files: evwatch -f FILE -f FILE"},
    {.name = "watch", .meaning = "file watches files; every runs a command again and again"},
    {.name = "inotify", .meaning = "file watches files"},
    {.name = "path", .meaning = "file watches files and directories"},
    {.name = "dir", .meaning = "file watches files and directories"},
    {.name = "directory", .meaning = "file watches files and directories"},
    {.name = "timer", .meaning = "every, after, at, cron and calendar are the timers"},
    {.name = "interval", .meaning = "every runs a command again and again"},
    {.name = "sleep", .meaning = "after waits once; every runs a command again and again"},
    {.name = "schedule", .meaning = "cron and calendar are the schedules"},
    {.name = "crontab", .meaning = "cron takes one expression: cron '15 3 * * *' -- COMMAND"},
    {.name = "reboot", .meaning = "cron @reboot runs a command once at the start"},
    {.name = "boot", .meaning = "cron @reboot runs a command once at the start"},
    {.name = "trap", .meaning = "signal waits for signals"},
    {.name = "tcp", .meaning = "listen accepts connections, relay forwards, probe waits for one"},
    {.name = "udp", .meaning = "listen udp:PORT takes datagrams, relay forwards them"},
    {.name = "port", .meaning = "listen accepts connections, probe waits until a port is open"},
    {.name = "server", .meaning = "listen runs a command for each connection"},
    {.name = "proxy", .meaning = "relay carries connections to a target"},
    {.name = "forward", .meaning = "relay carries connections to a target"},
    {.name = "tunnel", .meaning = "relay carries connections to a target"},
    {.name = "tail", .meaning = "lines PATH --follow follows a file"},
    {.name = "log", .meaning = "lines PATH --follow follows a file"},
    {.name = "logs", .meaning = "lines PATH --follow follows a file"},
    {.name = "stdin", .meaning = "lines reads standard input"},
    {.name = "wait", .meaning = "probe waits for a service, exit for the end of a process"},
    {.name = "wait-for", .meaning = "probe waits for a service: probe db:5432 --once"},
    {.name = "pid", .meaning = "exit waits for the end of a process"},
    {.name = "process", .meaning = "exit waits for the end of a process"},
};

/* What other tools, and English, call a value. */
static const struct value {
	const char *option, *value, *meaning;
} values[] = {
    {"on-busy", "wait", "did you mean queue?"},
    {"on-busy", "do-nothing", "did you mean skip?"},
    {"on-busy", "ignore", "did you mean skip?"},
    {"on-busy", "drop", "did you mean skip?"},
    {"on-busy", "kill", "did you mean restart?"},
    {"on-busy", "concurrent", "did you mean parallel?"},
    {"restart", "on-failure", "did you mean failure?"},
    {"restart", "unless-stopped", "did you mean always?"},
    {"restart", "yes", "did you mean always?"},
    {"restart", "never", "did you mean no?"},
    {"stdin", "none", "did you mean null?"},
    {"stdin", "-", "did you mean inherit?"},
    {"missed", "skip", "did you mean none?"},
    {"missed", "ignore", "did you mean none?"},
    {"balance", "roundrobin", "did you mean round-robin?"},
    {"balance", "leastconn", "did you mean least-conn?"},
    {"balance", "failover", "did you mean first?"},
    {"balance", "ip-hash", "did you mean source?"},
    {"depth", "-1", "without --depth there is no limit"},
};

static const struct name *find(const struct name *names, size_t n, const char *kind,
			       const char *name)
{
	char word[32];

	snprintf(word, sizeof word, " %s ", kind ? kind : "");
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i].name, name) == 0 &&
		    (!names[i].kinds || strstr(names[i].kinds, word)))
			return &names[i];
	return NULL;
}

/* `c,h` of an option for extensions: --match '*.c' --match '*.h'. */
static void add_extensions(struct buf *b, const char *option, const char *list)
{
	for (const char *at = list; *at;) {
		int length = (int)strcspn(at, ",");

		buf_printf(b, "%s%s '*.%.*s'", at == list ? "" : " ", option, length, at);
		at += length + (at[length] == ',');
	}
}

/* The option as it is called here, with the user's own value. */
static void hint_renamed(struct error *e, const struct name *n, const char *value)
{
	struct buf b = {0};
	/* A regular expression of others is no glob. */
	bool foreign = !value || (strcmp(n->example, "*.c") == 0 && strpbrk(value, "\\^$|"));

	if (foreign)
		value = n->example;
	if (strncmp(n->name, "--ext", 5) == 0) {
		add_extensions(&b, n->meaning, value + strspn(value, "."));
	} else {
		buf_printf(&b, "%s ", n->meaning);
		shell_quote(&b, value);
	}
	error_hint(e, "it is called %s here: %s", n->meaning, b.data ? b.data : n->meaning);
	buf_free(&b);
}

int foreign_option(struct error *e, const char *kind, const char *name, const char *value)
{
	const struct name *n = find(options, ARRAY_LENGTH(options), kind, name);

	if (!n)
		return -1;
	if (n->example)
		hint_renamed(e, n, value);
	else
		error_hint(e, "%s", n->meaning);
	return 0;
}

int foreign_value(struct error *e, const char *option, const char *value)
{
	for (size_t i = 0; i < ARRAY_LENGTH(values); i++)
		if (strcmp(values[i].option, option) == 0 && strcmp(values[i].value, value) == 0) {
			error_hint(e, "%s", values[i].meaning);
			return 0;
		}
	return -1;
}

const char *foreign_kind(const char *word)
{
	const struct name *n = find(kinds, ARRAY_LENGTH(kinds), NULL, word);

	return n ? n->meaning : NULL;
}
