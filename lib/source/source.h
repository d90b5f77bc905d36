/*
 * A source: a rule's left half. It watches the world through the reactor and makes events.
 *
 * Each kind is one `struct source_type` in one file or folder; kinds.h lists them all. A kind has a
 * configuration (plain data, filled from its option table and arguments) and a run-time struct that
 * begins with `struct source`. Life: open → (arm)* → start → (pause ↔ resume)* → stop → close;
 * close may come at any point after a successful open.
 *
 * Back-pressure: while a source is paused it must not emit. It keeps what it knows (lines unread,
 * connections in the backlog, file changes merged) and goes on from there when resumed. The engine
 * may pause, stop or resume a source from inside its own emit: look again after each one.
 */
#ifndef EVWATCH_SOURCE_SOURCE_H
#define EVWATCH_SOURCE_SOURCE_H

#include "event/event.h"
#include "base/option.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct calendar_time;
struct endpoint;
struct listener;
struct error;
struct follow_set;
struct mounts;
struct inotify_set;
struct reactor;
struct source;
struct trial;
struct zone;
struct zone_set;

/* What a source may say to the engine. */
struct source_host {
	/*
	 * These things happened; together they make one run where the rule has a command. The
	 * events are borrowed. A `connection` in one is taken over in any case.
	 */
	void (*emit)(struct source *s, const struct event *events, size_t n);
	/*
	 * With --each: is an event of this subject to wait, for the end of the run that it has or
	 * for a free place? (type->room) NULL: of a subject that has no run.
	 */
	bool (*is_busy)(struct source *s, const char *subject);
	/*
	 * A part of a large batch: these events go into one run with those of the next `emit`,
	 * which may have none of its own. Of kinds that gather.
	 */
	void (*gather)(struct source *s, const struct event *events, size_t n);
	/* There will be no more events: end of input, the last timer fired, the process gone. */
	void (*ended)(struct source *s);
	/* It cannot go on: the engine logs it once, and evwatch ends with status 1. */
	void (*failed)(struct source *s, const struct error *e);
	/*
	 * The listener of this endpoint that a rule has which goes at this reload, to be shared; or
	 * NULL. During open. NULL: there is none ever.
	 */
	struct listener *(*kept)(struct source *s, const struct endpoint *ep);
	/*
	 * The lock on the record (record.h) of the rule of this name that goes at this reload; -1:
	 * there is none. During open. It stays that rule's. NULL: there is none ever.
	 */
	int (*kept_record)(struct source *s);
	/* Bound address for --ready-file, as an endpoint word. During open. */
	void (*bound)(struct source *s, const char *endpoint);
	/*
	 * Writes these bytes to standard output, in order with what is printed. False: they are not
	 * taken, because the reader does not keep up or is gone.
	 */
	bool (*write)(struct source *s, const char *bytes, size_t length);
};

/* --debounce and --max-wait of the rule, for kinds that gather by themselves (file). */
struct gather {
	int64_t quiet;    /* ns without a change before the events are handed on */
	bool automatic;   /* --debounce auto: `quiet` adapts, 2 ms to 50 ms */
	int64_t max_wait; /* ns after the first change, at most */
};

/* How a run of the rule's command ended, for run_ended. */
struct run_outcome {
	int status;         /* as a shell counts it: 0 to 255, 128 + signal; -1: there was no run */
	const char *output; /* what it wrote, when the event asked for it (`capture`); else NULL */
	size_t output_length;
	bool stopped; /* by evwatch, on purpose */
};

/* How a rule's runs for one batch of events came out, for rule_ran. */
struct rule_run {
	const char *rule;
	int status, signal;        /* as a shell counts it; the signal that ended it, or 0 */
	int64_t duration;          /* ns */
	const struct event *first; /* of its events */
};

/* Every kind's struct begins with this. Filled by the engine before open. */
struct source {
	const struct source_type *type;
	const void *config; /* of type->config_size; outlives the source */
	const struct source_host *host;
	void *owner; /* the engine's */
	struct reactor *reactor;
	struct inotify_set *inotify; /* for trees */
	struct mounts *mounts;
	struct follow_set *follows; /* for single paths */
	const char *rule;           /* its name, for messages and the log */
	const char *ready_file;     /* evwatch's own, no event to anybody; NULL: none */
	struct gather gather;
	size_t jobs;          /* --jobs */
	int64_t stop_timeout; /* ns, of commands that it runs for itself */
	bool has_command;
	bool each; /* an event of each batch at a time is emitted, while it is not paused (file) */
	bool busy_chosen; /* --on-busy is another than the kind's own */
	bool printed; /* --json or --format: events that are not printed otherwise are (relay) */
	uint8_t priority; /* for its watchers */
	bool paused;      /* set by the engine around pause and resume */
	bool fell_short;  /* set by the source before `ended`: it could not read all, and evwatch
			   * ends with status 1 where that of no command is asked for */
};

/* For `evwatch KIND --help`, the manual and the completions. */
struct event_name {
	const char *name;
	const char *meaning;
};

/* Options that mean nothing with a kind: refused in its rules, passed over in `set`. */
struct refusal {
	const char *options; /* long names, a blank between two */
	const char *why;     /* "each connection has a run of its own" */
	const char *cure;    /* what to write instead; NULL: nothing */
};

struct source_type {
	const char *name;                    /* "file" */
	const char *summary;                 /* one clause: "run a command when files change" */
	const char *arguments;               /* "PATH..." */
	int least_arguments, most_arguments; /* most -1: any number */
	const char *examples[2];
	const struct event_name *events; /* ends with a NULL name */
	const struct option *options;    /* of this kind alone; ends with a NULL name */
	const struct refusal *refuses;   /* ends with NULL options; NULL: none */
	bool takes_no_command;           /* relay */
	/* Does a rule like this need root while it runs? Optional: no. */
	bool (*needs_root)(const void *config);
	bool needs_command;  /* it has no events to print (run, task) */
	bool starts_itself;  /* no event starts its command: it is to be running (run) */
	bool by_others;      /* other rules run its command, or a hand (task) */
	bool waits_for_room; /* paused while as many commands run as may (file, listen, lines) */
	bool drains;  /* after stop it finishes what it carries, and calls ended then (relay) */
	bool gathers; /* merges its events itself by `struct gather` (file) */
	bool subjects_from_outside; /* strangers choose them: they may begin with `-` */
	bool gives_input;           /* a connection or datagram is the command's input (listen) */
	bool one_by_one;            /* each event has a run of its own, in order (lines, signal) */
	int default_on_busy;        /* enum on_busy of job.h */
	bool ends_whole;            /* when a command ends, what it started and left is stopped */

	size_t config_size;
	/* Sets defaults in a zeroed configuration. May be NULL. */
	void (*config_init)(void *config);
	/* Reads the arguments, checks all together. -1 with `e`, e->word the argument at fault. */
	int (*config_arguments)(void *config, char *const *words, size_t n, struct error *e);
	/* Instead of config_arguments, for kinds that reckon in time zones; keeps pointers into
	 * the set. */
	int (*config_times)(void *config, char *const *words, struct zone_set *zones,
			    struct error *e);
	/* Frees what config_arguments allocated (options are freed by their table). May be NULL. */
	void (*config_release)(void *config);
	/* How many subjects an event of it has at most. Optional: one. */
	uint64_t (*most_subjects)(const void *config);
	/* How many commands may run at once at least, where --jobs does not say. Optional. */
	uint64_t (*jobs)(const void *config);
	/* Appends in words what the rule waits for ("changes below src") for check and --dry-run.
	 */
	void (*describe)(const void *config, struct buf *out);

	/* What this valid configuration says that was hardly meant, for check: true with `e`
	 * filled, the option first, and a hint. Optional. */
	bool (*doubtful)(const void *config, bool has_command, struct error *e);

	/* Does a rule like this never end by itself? Optional: it may. */
	bool (*endless)(const void *config);

	/*
	 * Schedules: the first time due strictly after `after`, of a rule that was started at
	 * `start` (ns since the epoch), and its zone (NULL: none of its own). False when there is
	 * none. Optional.
	 */
	bool (*upcoming)(const void *config, int64_t start, int64_t after,
			 struct calendar_time *next, const struct zone **zone);

	/*
	 * For check and --dry-run: would this machine let it open? Opens only what the trial
	 * closes. -1 with `e`. Optional.
	 */
	int (*check_machine)(const void *config, struct trial *t, struct error *e);

	/* Schedules at work: the time (ns) until the next tick. False: none will come. Optional. */
	bool (*due_in)(const struct source *s, int64_t *left);

	/* Does it read evwatch's own standard input? Optional. */
	bool (*reads_input)(const void *config);

	/* The shell text that it runs for itself (--of); NULL: none. Optional. */
	const char *(*own_command)(const void *config);
	/* Does that run, and is it to end before the source has? After stop, it calls ended then.
	 * Optional. */
	bool (*lingers)(const struct source *s);

	/* The rules whose runs this one waits for, by name (ended). Optional. */
	const struct text_list *(*names_rules)(const void *config);

	/* Does a rule with this configuration replace the default of the signal? Optional. */
	bool (*claims_signal)(const void *config, int number);

	size_t size;
	/* Acquires everything that can fail: binds, opens, resolves. All or nothing. */
	int (*open)(struct source *s, struct error *e);
	/*
	 * What open leaves to be done before start, where that may be long: works until `deadline`
	 * (of the loop's clock). True: there is more to do. The loop may turn between two calls;
	 * nothing is emitted, and what happens from the end of open on is an event after start.
	 * Optional: open does it all.
	 */
	bool (*arm)(struct source *s, int64_t deadline);
	/*
	 * The other way round, of a source that was stopped: what may be long of its close is done
	 * until `deadline`. True: there is more to do. Optional: close does it all.
	 */
	bool (*disarm)(struct source *s, int64_t deadline);
	/* Arms: events may be emitted from the next turn on. */
	void (*start)(struct source *s);
	/* Only for kinds with waits_for_room. */
	void (*pause)(struct source *s);
	void (*resume)(struct source *s);
	/* What host->is_busy says may have changed. Optional, with waits_for_room. */
	void (*room)(struct source *s);
	/* How many events wait in it for their runs. Optional. */
	size_t (*waiting)(const struct source *s);
	/* No new events; may finish what it carries (relay drains) and then call ended. */
	void (*stop)(struct source *s);
	/* Frees everything but the struct itself. */
	void (*close)(struct source *s);
	/* A run for an event of this source began, or ended; `token` is the first event's.
	 * Optional. */
	void (*run_began)(struct source *s, void *token);
	void (*run_ended)(struct source *s, void *token, const struct run_outcome *outcome);
	/* Its listener of this endpoint, for a successor to share; or NULL. Optional. */
	struct listener *(*listener)(struct source *s, const struct endpoint *ep);
	/* Its lock on the record of --catch-up; -1: none. Optional. */
	int (*record_lock)(const struct source *s);
	/* Appends what it counts, as members of a JSON object with a comma before each. Optional.
	 */
	void (*status)(const struct source *s, struct buf *out);
	/* Of a rule that names_rules: one was run, or is over and will not run again. */
	void (*rule_ran)(struct source *s, const struct rule_run *run);
	void (*rule_over)(struct source *s, const char *rule);
	/* The wall clock was set, the machine slept, or the rules of a zone changed. Optional. */
	void (*clock_changed)(struct source *s);
};

/* What host->kept says. */
static inline struct listener *source_kept(struct source *s, const struct endpoint *ep)
{
	return s->host->kept ? s->host->kept(s, ep) : NULL;
}

/* For `endless`, of kinds that never end. */
static inline bool source_never_ends(const void *config)
{
	(void)config;
	return true;
}

/* All kinds in the order of --help; ends with NULL. */
extern const struct source_type *const source_types[];

/* The kind of this name, or NULL. */
const struct source_type *source_type_find(const char *name);

#endif
