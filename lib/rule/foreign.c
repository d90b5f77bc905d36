/* See foreign.h. */
#include "rule/foreign.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "rule/script.h"

#include <stdio.h>
#include <string.h>

struct name {
	const char *kinds; /* where it means this, as " file lines "; NULL: everywhere */
	const char *name, *meaning;
};

static const struct name options[] = {
    /* entr, watchexec, nodemon, inotifywait, fswatch, reflex, chokidar */
    {" file ", "-r", "--on-busy restart restarts the command; sub-directories are always watched"},
    {" file every cron calendar signal lines probe ", "--restart",
     "--on-busy restart stops the command on a new event and runs it again"},
    {" file ", "-R", "directories are watched with all below them; see --no-recursive"},
    {" file ", "--recursive", "directories are watched with all below them; see --no-recursive"},
    {" file ", "--filter", "it is called --match here: --match '*.c'"},
    {" file ", "--include", "it is called --match here, and takes a glob: --match '*.c'"},
    {" file ", "--includei", "it is called --match here, and takes a glob: --match '*.[cC]'"},
    {" file ", "--pattern", "it is called --match here: --match '*.c'"},
    {" file ", "--glob", "it is called --match here: --match '*.c'"},
    {" file ", "--ext", "it is called --match here: --match '*.c' --match '*.h'"},
    {" file ", "--exts", "it is called --match here: --match '*.c' --match '*.h'"},
    {" file ", "--extensions", "it is called --match here: --match '*.c' --match '*.h'"},
    {" file ", "--exclude", "it is called --ignore here, and takes a glob: --ignore '*.o'"},
    {" file ", "--excludei", "it is called --ignore here, and takes a glob: --ignore '*.[oO]'"},
    {" file ", "--skip", "it is called --ignore here, and takes a glob: --ignore '*.o'"},
    {" file ", "--no-vcs-ignore", "nothing is ignored unless --gitignore or --ignore says so"},
    {" file ", "--no-ignore", "nothing is ignored unless --gitignore or --ignore says so"},
    {" file ", "--monitor", "evwatch goes on until it is stopped; --once ends at the first event"},
    {" file ", "-m", "evwatch goes on until it is stopped; --once ends at the first event"},
    {" file ", "--event", "it is called --events here: --events create,delete"},
    {" file ", "-p", "the command is run on the first change; --initial runs it at the start too"},
    {" file ", "--postpone",
     "the command is run on the first change; --initial runs it at the start too"},
    {" file ", "--legacy-polling", "it is called --poll here: --poll 1s"},
    {" file ", "--force-poll", "it is called --poll here: --poll 1s"},
    {" file ", "--watch", "paths come after the kind: evwatch file src lib -- make"},
    {NULL, "--delay", "it is called --debounce here: --debounce 500ms"},
    {NULL, "--delay-run", "it is called --debounce here: --debounce 500ms"},
    {NULL, "--no-shell", "two or more words after -- are executed without a shell"},
    {NULL, "--exec", "the command comes after --, as in: evwatch file src -- make"},
    {NULL, "--command", "the command comes after --, as in: evwatch file src -- make"},
    {NULL, "--kill-signal", "it is called --stop-signal here"},
    {NULL, "--kill-after", "it is called --stop-timeout here"},
    {NULL, "--workdir", "it is called --cwd here"},
    {NULL, "--directory", "it is called --cwd here"},
    {NULL, "--chdir", "it is called --cwd here"},
    {NULL, "--parallel", "it is called --jobs here: --jobs 4"},
    {NULL, "--max-procs", "it is called --jobs here: --jobs 4"},
    {NULL, "-P", "it is called --jobs here: --jobs 4"},
    {NULL, "--retries", "it is called --retry here: --retry 3"},
    {NULL, "--max-retries", "it is called --retry here: --retry 3"},
    {NULL, "--logfile", "it is called --output here: --output FILE"},
    {NULL, "--log-file", "it is called --output here: --output FILE"},
    /* tail, grep, fail2ban */
    {" lines ", "-F", "it is called --follow here"},
    {" lines ", "--tail", "it is called --follow here; it begins at the end of the file"},
    {" lines ", "--regex", "it is called --match here: --match 'Failed .* from ([0-9.]+)'"},
    {" lines ", "--regexp", "it is called --match here: --match 'Failed .* from ([0-9.]+)'"},
    {" lines ", "--grep", "it is called --match here: --match 'Failed .* from ([0-9.]+)'"},
    {" lines ", "-E", "it is called --match here: --match 'Failed .* from ([0-9.]+)'"},
    {" lines ", "--invert-match", "it is called --invert here"},
    {" lines ", "--filter", "it is called --match here: --match 'Failed .* from ([0-9.]+)'"},
    /* socat, ncat, tcpserver, wait-for-it */
    {" listen ", "--fork", "each connection has a run of its own; --jobs says how many at once"},
    {" listen ", "--keep-open", "evwatch listens until it is stopped"},
    {" listen ", "-k", "evwatch listens until it is stopped"},
    {" listen ", "-l", "evwatch listen PORT listens already"},
    {" probe ", "--wait", "--within says how long to wait: --once --within 60s"},
    {" probe ", "--strict", "the status says it: evwatch probe db:5432 --once --within 60s && ..."},
    {" probe ", "-t", "--within says how long to wait: --once --within 60s"},
    /* cron, systemd, supervisord */
    {NULL, "--timezone", "it is called --tz here: --tz Europe/Berlin"},
    {NULL, "--every", "every is a kind: evwatch every 5m -- COMMAND"},
    {NULL, "--cron", "cron is a kind: evwatch cron '15 3 * * *' -- COMMAND"},
    {NULL, "--on-calendar", "calendar is a kind: evwatch calendar 'Mon..Fri 09:00' -- COMMAND"},
    {NULL, "--daemon", "evwatch stays in the foreground: start it with & or as a service"},
    {NULL, "--daemonize", "evwatch stays in the foreground: start it with & or as a service"},
    {NULL, "--background", "evwatch stays in the foreground: start it with & or as a service"},
    {NULL, "-d", "evwatch stays in the foreground: start it with & or as a service"},
    {NULL, "--pid-file", "it is called --pidfile here"},
    {NULL, "--config", "rules come from a file with -f FILE"},
};

static const struct name kinds[] = {
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

static const char *find(const struct name *names, size_t n, const char *kind, const char *name)
{
	char word[32];

	snprintf(word, sizeof word, " %s ", kind ? kind : "");
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i].name, name) == 0 &&
		    (!names[i].kinds || strstr(names[i].kinds, word)))
			return names[i].meaning;
	return NULL;
}

const char *foreign_option(const char *kind, const char *name)
{
	return find(options, ARRAY_LENGTH(options), kind, name);
}

const char *foreign_kind(const char *word)
{
	return find(kinds, ARRAY_LENGTH(kinds), NULL, word);
}

/* Of a crontab: numbers, names of days and months, * , - / and the rest. */
static bool is_cron_field(const char *word)
{
	return *word && !word[strspn(word, "0123456789*,-/?LW#abcdefghijklmnoprstuvwyADFJMNOSTW")];
}

/* How many words in front are the expression of a crontab's line; 0: it is none. */
static size_t cron_fields(const struct word *words, size_t n)
{
	size_t fields = 0;

	if (*words[0].text == '@')
		return 1;
	if (!strpbrk(words[0].text, "0123456789*")) /* a kind that was misspelt has letters only */
		return 0;
	while (fields < n && fields < 5 && is_cron_field(words[fields].text))
		fields++;
	return fields == 5 ? 5 : 0;
}

int foreign_cron_line(struct error *e, const struct word *words, size_t n)
{
	size_t fields = n ? cron_fields(words, n) : 0;
	struct buf b = {0};

	if (!fields)
		return -1;
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%s%s", i && i != fields ? " " : "", words[i].text,
			   i + 1 != fields ? ""
			   : n > fields    ? "' -- "
					   : "'");
	error_hint(e, "if it is a line of a crontab, write: cron '%s",
		   b.failed ? "15 3 * * *' -- COMMAND" : b.data);
	buf_free(&b);
	return 0;
}

/* "5 minutes": the unit is a word of its own. */
static bool is_split_duration(char *const *words, size_t n)
{
	static const char *const units[] = {"s",   "m",   "h",    "d",   "w",
					    "sec", "min", "hour", "day", "week"};
	struct error e;
	int64_t ns;

	if (n < 2 || duration_parse(words[0], &ns, &e) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
		if (strcmp(words[1], units[i]) == 0 ||
		    (units[i][1] && strncmp(words[1], units[i], strlen(units[i])) == 0))
			return true;
	return false;
}

void foreign_arguments(struct error *e, const char *kind, char *const *words, size_t n)
{
	if (strcmp(kind, "cron") == 0 && n >= 5)
		error_hint(e, "quote the expression, or the shell expands its asterisks: "
			      "cron '15 3 * * *'");
	else if (strcmp(kind, "calendar") == 0)
		error_hint(e, "an expression is one word, in quotes: calendar 'Mon..Fri 09:00'; a "
			      "command comes after \"--\"");
	else if (is_split_duration(words, n))
		error_hint(e, "a duration is one word: 30s, 5min, 2h");
	else
		error_hint(e, "a command comes after \"--\"");
}
