/* What happens, top to bottom: help and tools, the command line, the guardian, the engine, the end.
 */
#include "describe.h"
#include "help.h"
#include "options.h"
#include "pidfile.h"
#include "privileges.h"
#include "tools.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scan.h"
#include "engine/engine.h"
#include "output/sink.h"
#include "output/spool.h"
#include "process/descendants.h"
#include "process/guard.h"
#include "process/launch.h"
#include "process/user.h"
#include "reactor/reactor.h"

#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_LIMIT = 1024 * 1024 }; /* bytes of diagnostics that wait for a slow reader */

static int print_error(const struct error *e)
{
	log_error(NULL, "%s", e->what);
	if (*e->hint)
		log_error(NULL, "%s", e->hint);
	return 1;
}

/* What was printed must have been written: the status, or 1 where it was not (disk full). */
static int printed(int status)
{
	struct error e;

	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	error_errno(&e, "cannot write to standard output");
	return print_error(&e);
}

/* ---- help, version, tools -------------------------------------------------------------------- */

/* Of the first word that is a kind or a tool, else of everything. */
static void print_help(char **argv)
{
	bool all = false;

	for (char **word = argv + 1; *word && strcmp(*word, "--") != 0; word++)
		all |= strcmp(*word, "all") == 0;
	for (argv++; *argv && strcmp(*argv, "--") != 0; argv++)
		if (help_print_of(*argv, all))
			return;
	help_print();
}

static int print_about(const struct process_options *o, char **argv)
{
	if (o->help)
		print_help(argv);
	else
		version_print();
	return printed(0);
}

static int run_tool(const struct tool *tool, int argc, char **argv)
{
	/* Words after --for are a command line that is being typed. */
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0 && strcmp(argv[i], "--for") != 0;
	     i++)
		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
			help_print_of(tool->name, false);
			return printed(0);
		}
	if (tool->run)
		return printed(tool->run(argc, argv));
	fprintf(stderr, "evwatch: %s: not there yet\n", tool->name);
	return 2;
}

/* ---- running --------------------------------------------------------------------------------- */

/* Ends as the signal would have ended it, so that the shell sees 128 + number. */
static int end_as(struct engine_end end)
{
	struct rlimit no_core = {0, 0};
	sigset_t set;

	if (!end.signal)
		return end.status;
	setrlimit(RLIMIT_CORE, &no_core); /* QUIT asks for the end: nothing has crashed */
	signal(end.signal, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, end.signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(end.signal);
	return 128 + end.signal;
}

static void write_log(void *sink, const char *line, size_t length)
{
	sink_write(sink, line, length);
}

/* Is standard error a terminal that obeys escape sequences, and no log? */
static bool has_screen(const struct process_options *o)
{
	const char *terminal = getenv("TERM");

	return o->log == 0 && isatty(2) && terminal && *terminal && strcmp(terminal, "dumb") != 0;
}

/* Is standard error the journal's (systemd.exec(5), JOURNAL_STREAM)? */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uint64_t device, inode;
	struct stat st;

	return stream && scan_number(&stream, 10, &device) && scan_char(&stream, ':') &&
	       scan_number(&stream, 10, &inode) && fstat(2, &st) == 0 && st.st_dev == device &&
	       st.st_ino == inode;
}

static void set_up_log(const struct process_options *o)
{
	const char *no_color = getenv("NO_COLOR");

	log_setup(o->quiet         ? LOG_ERROR
		  : o->verbose > 1 ? LOG_DEBUG
		  : o->verbose     ? LOG_INFO
				   : LOG_WARN,
		  o->log == 1);
	log_set_look((struct log_look){
	    .time = o->verbose && !o->quiet,
	    .colour = has_screen(o) && !(no_color && *no_color),
	    .journal = is_journal(),
	});
}

static struct engine_end run_engine(struct reactor *r, const struct process_options *o,
				    struct rules *rules, struct guard *guard,
				    const struct user *user, struct sink *errors,
				    const struct inherited *inherited)
{
	struct engine_config config = {
	    .count = o->count,
	    .within = o->within,
	    .fail_fast = o->fail_fast,
	    .stdin_quit = o->stdin_quit,
	    .ready_file = o->ready_file,
	    .control = o->control,
	    .live_line = has_screen(o) && !o->quiet,
	    .guard = guard,
	    .user = user,
	    .reread = command_line_reread,
	    .reread_context = (void *)o,
	    .errors = errors,
	    .inherited = inherited,
	};
	struct engine_end end = {.status = 1};
	struct engine *engine;
	struct error e;

	for (size_t i = 0; i < o->n_texts; i++)
		config.from_files |= o->texts[i].is_file;
	engine = engine_open(r, rules, &config, &e);
	if (!engine) {
		print_error(&e);
		return end;
	}
	end = engine_run(engine);
	engine_close(engine);
	return end;
}

static struct engine_end run_loop(const struct process_options *o, struct rules *rules,
				  struct guard *guard, const struct user *user)
{
	struct engine_end end = {.status = 2};
	struct spool_budget budget = {.most = o->spool};
	struct inherited inherited;
	struct reactor_error why;
	struct reactor *r;
	struct sink *log;
	struct error e;

	inherited_take(&inherited);
	r = reactor_new(o->backend ? o->backend : getenv("EVWATCH_BACKEND"), &why);
	if (!r) {
		error_set(&e, "%s", why.what);
		error_hint(&e, "%s", why.hint);
		print_error(&e);
		return end;
	}
	log = sink_open(r, 2, LOG_LIMIT, (struct sink_owner){.budget = &budget});
	if (!log) {
		error_errno(&e, "cannot start");
		print_error(&e);
	} else {
		log_set_writer(write_log, log);
		end = run_engine(r, o, rules, guard, user, log, &inherited);
		log_set_writer(NULL, NULL);
		sink_flush(log, 1000000000);
		sink_close(log);
	}
	reactor_free(r);
	return end;
}

/* guard_start forks: the child returns from it and goes on here, the guardian ends with it. */
static struct engine_end run_guarded(const struct process_options *o, struct rules *rules,
				     const struct user *user)
{
	struct engine_end end = {.status = 1};
	struct guard *guard = NULL;
	struct error e;
	int pidfile = -1;

	if (o->pidfile) {
		pidfile = pidfile_open(o->pidfile, (int)getpid(), &e);
		if (pidfile < 0) {
			print_error(&e);
			return end;
		}
	}
	if (!o->no_guard)
		guard = guard_start(rules_claimed_signals(rules), user, &e);
	if ((!o->no_guard && !guard) || (o->no_guard && descendants_adopt() < 0)) {
		if (o->no_guard)
			error_errno(&e, "cannot become a subreaper");
		print_error(&e);
	} else {
		end = run_loop(o, rules, guard, user);
		guard_free(guard);
	}
	if (o->pidfile)
		pidfile_close(o->pidfile, pidfile);
	return end;
}

static struct engine_end run(const struct process_options *o, struct rules *rules)
{
	struct user user = {0};
	struct engine_end end;
	struct error e;

	if (o->dry_run) {
		return (struct engine_end){.status = printed(rules_print(rules, o->log == 1))};
	}
	signal(SIGCHLD, SIG_DFL); /* ignored, the kernel would keep no status of a child */
	signal(SIGPIPE, SIG_IGN); /* write(2) reports that the reader has gone */
	if (privileges_find(&user, o, rules, &e) < 0) {
		print_error(&e);
		return (struct engine_end){.status = 2};
	}
	end = run_guarded(o, rules, o->user ? &user : NULL);
	user_release(&user);
	return end;
}

/*
 * glibc's fast bins put the merging of small pieces off until something large is freed: 20 to 40 ms
 * in one turn of the loop after a batch of 300,000 names (mallopt(3); musl has none).
 */
static void merge_freed_memory_at_once(void)
{
#ifdef M_MXFAST
	mallopt(M_MXFAST, 0);
#endif
}

int main(int argc, char **argv)
{
	struct process_options options = {.spool = UINT64_C(1) << 30};
	struct rules rules = {0};
	struct engine_end end = {.status = 2};
	bool failed;

	merge_freed_memory_at_once();
	if (fd_reserve_standard() < 0)
		return 1;
	if (privileges_are_lent()) {
		fputs("evwatch: set-user-id is refused: its rules would run with lent privileges\n",
		      stderr);
		return 1;
	}
	setlocale(LC_CTYPE, "");
	if (argc > 1 && tool_find(argv[1]))
		return run_tool(tool_find(argv[1]), argc - 1, argv + 1);
	failed = command_line_read(&options, &rules, argv + 1, argc - 1) < 0;
	set_up_log(&options);
	if (options.help || options.version)
		end.status = print_about(&options, argv);
	else if (failed)
		diagnostics_print(&rules.diagnostics);
	else
		end = run(&options, &rules);
	rules_free(&rules);
	process_options_release(&options);
	return end_as(end);
}
