/*
 * What the files of the engine share.
 *
 *	RUNNING --finish--> STOPPING --all idle--> LEFTOVERS --no descendant left--> DONE
 *	   |                    |                      |
 *	   +--------- second signal, guardian lost: everything is killed ----------> DONE
 */
#ifndef EVWATCH_ENGINE_STATE_H
#define EVWATCH_ENGINE_STATE_H

#include "base/buf.h"
#include "base/histogram.h"
#include "base/list.h"
#include "engine/engine.h"
#include "engine/reload.h"
#include "engine/sockets.h"
#include "job/feed.h"
#include "job/job.h"
#include "reactor/reactor.h"

struct control;
struct event;
struct generation;
struct follow_set;
struct mounts;
struct inotify_set;
struct sieve;
struct live;
struct rule;
struct rules;
struct sink;
struct source;
struct zone_file;
struct zone_set;

/* A rule at work. */
struct armed_rule {
	struct engine *engine;
	const struct rule *rule;
	struct source *source;
	struct sieve *sieve; /* NULL: every event goes on */
	struct job *job;     /* NULL: it has no command */
	/* Whose job takes the events: itself, the rule of --to, or NULL: they are printed. */
	struct armed_rule *target;
	struct sockets sockets;       /* of --socket, held for the command */
	struct feed feed;             /* the way there; unused without a target */
	struct job_config job_config; /* the rule's, less what the source does itself */
	uint64_t events, printed;
	uint64_t runs;      /* that ended; without a command: events printed */
	int last_status;    /* of the last of them */
	size_t senders;     /* rules with --to here that are not over */
	size_t observers;   /* rules that wait for the ends of its runs */
	struct link closed; /* in engine.newly_over */
	/* Of the rules of this name that this one took over from at a reload. */
	struct job_stats before;
	uint64_t before_events;
	struct generation *generation; /* that `rule` is of */
	struct armed_rule
	    *successor;   /* its commands start when this one's have ended; NULL: none */
	size_t awaited;   /* rules whose successor it is */
	struct buf bound; /* its endpoints, a line each, as in the ready file */
	bool open;        /* the source was opened and not closed yet */
	bool in_part;     /* what is taken now is a part of a batch */
	bool source_ended;
	bool job_ended;  /* --runs: nothing is run or printed any more */
	bool paused;     /* by hand */
	bool start_held; /* it is started when the rule is gone whose successor it is */
	bool leaving;    /* a reload that goes on has no such rule */
	bool retired;    /* a reload took it out: it ends */
	bool gone;       /* it has ended, and is being freed */
	bool over;       /* no event will come, nothing runs */
};

enum engine_phase { ENGINE_RUNNING, ENGINE_STOPPING, ENGINE_LEFTOVERS, ENGINE_DONE };

enum { STOP_SIGNALS = 4 }; /* INT, TERM, QUIT, HUP */

struct stop_signal {
	struct signal_watcher watcher;
	struct engine *engine;
	bool ignored; /* as we were started */
};

struct engine {
	struct reactor *reactor;
	const struct engine_config *config;
	struct armed_rule **rules; /* owned, each of them too */
	size_t n_rules, rules_capacity;
	struct link newly_over; /* rules whose end is to be passed on to others */
	bool reporting_over;
	struct link generations;
	struct timer reaper; /* frees what a reload took out */
	struct reloads reloads;
	int asked_to_end;        /* a signal, while the first rules were opened; 0: none */
	struct io_watcher input; /* --stdin-quit */
	struct sink *output;
	int null; /* /dev/null, the input of commands without any; -1: no rule had one yet */
	struct inotify_set *inotify; /* of all sources and the timekeeper */
	struct mounts *mounts;       /* the same */
	struct follow_set *follows;  /* the same */
	struct timer watchdog;       /* of a service manager; see service.h */
	int64_t watchdog_every;
	struct buf line; /* the printer's scratch */
	enum engine_phase phase;
	struct engine_end end;
	uint64_t runs; /* that ended; without commands: events printed */
	int last_status;
	int64_t ending_since;
	struct timer within, patience; /* --within; leftovers */
	int64_t patience_end;
	struct timer stopper;
	bool had_terminal; /* a controlling one, at start */
	bool stopped;      /* they are stopping */
	struct stop_signal signals[STOP_SIGNALS];
	struct live *live;       /* NULL: no live line */
	struct control *control; /* NULL: no control socket */
	struct histogram turns;  /* measured where there is a control socket */
	uint64_t n_reloads;
	int64_t since;                /* wall clock, ns: all was armed */
	struct zone_file *zone_files; /* owned: those of schedules, followed */
	size_t n_zone_files;
};

/* ---- armed.c: one rule ---- */
int armed_open(struct armed_rule *a, struct error *e);
/* After that, until it returns false: what may be long of the opening, a piece a call. */
bool armed_arm(struct armed_rule *a, int64_t deadline);
/* Before armed_free, until it returns false: what may be long of that, a piece a call. */
bool armed_disarm(struct armed_rule *a, int64_t deadline);
void armed_start(struct armed_rule *a);
/* Pauses or resumes the source by what the job or the output can take. */
void armed_update(struct armed_rule *a);
void armed_stop(struct armed_rule *a);
/* The rule ends, and nothing else does. */
void armed_end(struct armed_rule *a);
/*
 * Makes an event by hand, past filters and gathering; with --each one for each subject. A ticket
 * (not 0) is answered by control_answer, in this call or later.
 */
void armed_trigger(struct armed_rule *a, const char *const *subjects, size_t n, uint64_t ticket);
/* Events wait as behind a busy command, or in the source. */
void armed_pause(struct armed_rule *a, bool paused);
/* Has its source a command of its own that runs, and that its end waits for? */
bool armed_lingers(const struct armed_rule *a);
/* The source and the job have nothing left to do. */
bool armed_idle(const struct armed_rule *a);
void armed_close(struct armed_rule *a);
/* A rule that is not open yet, and not in the engine's list. NULL with ENOMEM. */
struct armed_rule *armed_new(struct engine *e, struct generation *g, const struct rule *rule);
void armed_free(struct armed_rule *a);
/* A run of the rule has ended, or an event of it was printed. */
void armed_count(struct armed_rule *a, int status);
/* After that, once the source has handled it: --runs may be used up. */
void armed_check_runs(struct armed_rule *a);

/* ---- events.c: the way of an event through its rule ---- */
/* These happened; they are copied, but for their connections, which are taken over. `part`: of a
 * batch that a later call ends. */
void events_take(struct armed_rule *a, const struct event *events, size_t n, bool part);
/* The same past the sieve and what the feed gathers; `event` gets its time. */
void events_take_by_hand(struct armed_rule *a, struct event *event);
/* Are they, where the rule has no command? */
bool events_are_printed(const struct armed_rule *a);
extern const struct sieve_host events_sieve_host;

/* ---- runs.c: what a rule's job and its feed say ---- */
extern const struct job_host rule_job_host;
extern const struct feed_host rule_feed_host;

/* ---- links.c: rules that hand events to others, or wait for the ends of their runs ---- */
/* Once all rules are opened; again when a reload has changed which there are. */
void links_make(struct engine *e);
/* Before the rules that are `gone` are freed: they and the others know nothing of each other any
 * more. */
void links_part_gone(struct engine *e);
/* Is the rule over? Then its end is passed on to the rules that have to do with it. */
void links_check_over(struct armed_rule *a);
/* After a reload: passes on to the new rules which of the others are over. */
void links_report_over(struct engine *e);
/* A batch of the rule has been run. */
void links_ran(struct armed_rule *a, const struct run_result *result);
/* The rules whose events the job of `a` takes can hand on more, or are over. */
void links_room(struct armed_rule *a);
/* How many runs of its command wait, in its job and in the sources that lead to it. */
size_t links_queued(const struct armed_rule *a);

/* ---- ends.c: the ends of standard input and output ---- */
int ends_open(struct engine *e, struct error *error);
/* After a reload: a rule may write now. */
int ends_watch_reader(struct engine *e);
void ends_close(struct engine *e);

/* ---- engine.c ---- */
void engine_rule_over(struct engine *e, struct armed_rule *a);
/* Ends when every rule has ended. */
void engine_check_over(struct engine *e);
/* Returns 0, or -1 and it was logged. */
int engine_write_ready_file(const struct engine *e);
/* The rule of this name, or NULL. */
struct armed_rule *engine_find(const struct engine *e, const char *name);
/* A run ended, or an event was printed: limits are looked at. */
void engine_count(struct engine *e, int status);
/* Is a further run within --count, once all that go on have ended? */
bool engine_may_start(const struct engine *e);

/* ---- ending.c: how it ends ---- */
int ending_open(struct engine *e, struct error *error);
/* Stops all rules, then ends with this status or signal. The first call decides. */
void engine_finish(struct engine *e, int status, int signal);
/* Something became idle: is it time to go on with the end? */
void ending_review(struct engine *e);
/* A rule has come or gone: takes the signals that none of them takes. */
void ending_review_signals(struct engine *e);
void ending_close(struct engine *e);

/* ---- status.c: what status reports ---- */
/* Appends the answer to `status`: one object, with its line end. */
void status_add(struct buf *out, struct engine *e);

/* ---- timekeeper.c: a clock that is set, zone data that change ---- */
int timekeeper_open(struct engine *e, struct error *error);
void timekeeper_close(struct engine *e);

/* ---- live_text.c: what the status line says ---- */
void live_say(const struct engine *e, struct buf *out);

/* ---- live.c: the status line of a terminal ---- */
int live_open(struct engine *e, struct error *error);
/* A run began or ended. */
void live_changed(struct engine *e);
/* A command is about to get the terminal: it has all its rows. */
void live_lend(struct engine *e);
void live_close(struct engine *e);

#endif
