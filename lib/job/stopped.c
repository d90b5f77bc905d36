/*
 * See stopped.h. The kernel reports a stop like an end, by SIGCHLD; several may be one signal, so
 * every run is looked at.
 */
#include "job/stopped.h"

#include "base/list.h"
#include "base/log.h"
#include "base/signame.h"
#include "job/state.h"
#include "process/terminal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum { LOOKED_AT = 100 }; /* runs that one signal has looked at */

/* The signal that has stopped the process since the last call, or 0. */
static int stopped_by(pid_t pid)
{
	siginfo_t si = {0};

	if (waitid(P_PID, (id_t)pid, &si, WSTOPPED | WNOHANG) < 0 || si.si_pid != pid)
		return 0;
	return si.si_status;
}

static void look(const struct job *j, const struct run *run)
{
	bool inherits = j->setup.config->stdin_mode == STDIN_INHERIT;
	int number = run->pid > 0 ? stopped_by(run->pid) : 0;
	char name[16];

	if (number != SIGTTIN && number != SIGTTOU)
		return;
	log_warn(j->setup.rule,
		 "run %llu was stopped by SIG%s: it %s the terminal from the background%s",
		 (unsigned long long)run->ordinal, signal_name(number, name, sizeof name),
		 number == SIGTTIN ? "reads" : "changes",
		 inherits ? "" : "; --stdin inherit lends it the terminal");
}

static void on_child(struct reactor *r, struct signal_watcher *w, const struct signal_info *info)
{
	const struct job *j = CONTAINER_OF(w, struct job, children);
	int n = 0;

	(void)r;
	(void)info;
	LIST_EACH(at, after, &j->runs)
	{
		const struct run *run = CONTAINER_OF(at, struct run, link);

		if (n++ == LOOKED_AT)
			break;
		if (!run->terminal.group &&
		    (run->state == RUN_RUNNING || run->state == RUN_STOPPING))
			look(j, run);
	}
}

void stopped_open(struct job *j)
{
	signal_init(&j->children, SIGCHLD, on_child);
	if (terminal_controls_us() && signal_start(j->setup.reactor, &j->children) < 0)
		log_warn(j->setup.rule, "a command that the terminal stops is not noticed: %s",
			 strerror(errno));
}

void stopped_close(struct job *j)
{
	signal_stop(j->setup.reactor, &j->children);
}
