/*
 * A launch: everything that a command needs to start, made ready so that the child has nothing to
 * do but system calls. The child shares the parent's memory (clone(2), CLONE_VM): its cost does not
 * grow with evwatch's own size.
 */
#ifndef EVWATCH_PROCESS_LAUNCH_H
#define EVWATCH_PROCESS_LAUNCH_H

#include "base/buf.h"
#include "base/option.h"
#include "process/user.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct event;
struct reactor;

/* What commands must not have from evwatch, but as it was when evwatch itself was started. */
struct inherited {
	unsigned long slack; /* ns, of timers; 0: it was not changed */
	uint64_t signals;    /* that are not at their default, a bit each from signal 1 on */
};

/*
 * Before any signal is watched. Makes this process' own waits exact: the kernel puts the timeouts
 * of poll, select and epoll_wait off by up to 50 µs (prctl(2), PR_SET_TIMERSLACK).
 */
void inherited_take(struct inherited *i);

/* What to run: `words` directly, or words[0] as shell text. */
struct command {
	char **words; /* owned; NULL-terminated */
	size_t count;
	bool shell;
};
void command_free(struct command *c);

/* The surroundings of a command as the options name them. */
struct surroundings_config {
	struct text_list env; /* K=V */
	bool clear_env;
	char *cwd;
	int umask;    /* -1: as it is */
	int nice;     /* added */
	char *run_as; /* USER[:GROUP] */
	bool no_new_privs;
	char *shell; /* NULL: /bin/sh */
};

enum { LOGIN_VARIABLES = 5 };

/* The same with names resolved once. */
struct surroundings {
	const char *cwd; /* NULL: as it is */
	int umask;       /* -1: as it is */
	int nice;
	bool change_user; /* to `user`, in a session of its own */
	struct user user;
	bool no_new_privs;            /* prctl(2) */
	const char *shell;            /* NULL: /bin/sh */
	char *login[LOGIN_VARIABLES]; /* owned: NAME=VALUE of `user` */
	char **
	    environment; /* owned array of borrowed strings: what is passed on from evwatch's own */
	size_t n_environment;
};

/* Resolves users and groups, and filters the environment. Returns 0, or -1 with `e`. */
int surroundings_open(struct surroundings *s, const struct surroundings_config *c, struct error *e);
void surroundings_close(struct surroundings *s);

/* A command in the form in which it is executed. */
struct program {
	char **words; /* owned, NULL-terminated: direct, or shell text that needs no shell */
	size_t count;
	const char *text; /* borrowed: shell text, or NULL */
	const char *shell;
	char *title;   /* owned: $0 of the text, with which the shell's messages begin */
	size_t braces; /* words that are {} */
	size_t room;   /* bytes for subjects in one argument list; SIZE_MAX: they go nowhere */
};

/* `rule` is named by the shell's own messages. Returns 0, or -1 with ENOMEM. */
int program_open(struct program *p, const struct command *c, const struct surroundings *s,
		 const char *rule);
void program_close(struct program *p);

/* Sockets that a command finds from descriptor 3 on, as systemd passes them (sd_listen_fds(3)). */
enum { PASSED_MOST = 32 };
struct passed {
	int fds[PASSED_MOST];
	size_t n;
	char *names; /* owned: LISTEN_FDNAMES */
};

/* Bytes of one argument, its NUL not counted (execve(2), MAX_ARG_STRLEN). */
enum { LONGEST_ARGUMENT = 128 * 1024 - 1 };

/* Arguments and environment of one run. */
struct launch {
	char **argv, **envp; /* owned arrays */
	char *strings;       /* owned: what envp needs beyond its borrowed strings */
	char **cuts;         /* owned: subjects that no argument can hold, cut */
	size_t n_cuts;
	int fds[3];                    /* become 0, 1, 2 */
	const struct passed *passed;   /* become 3, 4, ...; NULL: none */
	char *pid_text;                /* in `strings`: the child writes its pid there; or NULL */
	const struct reactor *reactor; /* whose signals are caught here */
	bool foreground;               /* its process group gets the terminal on descriptor 0 */
	const struct surroundings *around;
	const struct inherited *inherited;
};

/* The details that every run has, beside those of its event. */
struct run_facts {
	const char *rule, *kind;
	uint64_t ordinal;
	const char *mark; /* by which all that it starts is found (descendants.h), or NULL */
	const struct passed *passed; /* NULL: none */
};

/*
 * How many of the subjects from `from` fit into one argument list (execve(2), "Limits on size of
 * arguments and environment"). At least one, even if it does not fit: the kernel refuses it then.
 */
size_t launch_fit(const struct program *p, const char *const *subjects, size_t from, size_t n);

/* Makes argv and envp. A subject that is longer than LONGEST_ARGUMENT is cut there, which n_cuts
 * says. Returns 0, or -1 with ENOMEM. */
int launch_prepare(struct launch *l, const struct program *p, const struct surroundings *s,
		   const struct event *first, const struct run_facts *facts,
		   const char *const *subjects, size_t n);
void launch_release(struct launch *l);

#define STEP_EXECUTE "execute"
#define STEP_CHDIR   "change to the directory"

/* Starts that go on while evwatch does: so many at once. All zero to begin with. */
enum { STARTS = 4 };
struct start;
struct starts {
	struct start *places[STARTS]; /* owned */
	void *stack;                  /* owned: of the one that is waited for */
};

/*
 * Starts it in a process group of its own. Returns the pid, or -1 with errno and *step naming what
 * failed (STEP_EXECUTE, STEP_CHDIR, or words for a message).
 *
 * The exec is waited for, which takes 0.1 ms; *s stays NULL then. It is not where another user gets
 * the command, for that user could stop it before its exec; nor, where a place is free, with
 * `beside`. Then *s is set until start_end (or until the exec is known), and holds what `l` held;
 * the surroundings and subjects must live as long.
 */
pid_t launch_start(struct starts *all, struct launch *l, bool beside, struct start **s,
		   const char **step);

/* The child has ended: 0, or the errno with which it could not be started, and *step. */
int start_end(struct start **s, const char **step);

/* Nobody waits for its end any more: a child that still starts is killed, and reaped. */
void start_abandon(struct start **s, pid_t pid);

/* All have ended. */
void starts_close(struct starts *all);

/* Does a shell do more with this text than split it at blanks? (make's rule) */
bool text_needs_shell(const char *text);

#endif
