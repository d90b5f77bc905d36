/*
 * Descendants of this process: family.h finds them. When all direct children are killed, their
 * children become ours in turn, until none is left.
 */
#include "process/descendants.h"

#include "base/log.h"
#include "base/proc.h"
#include "base/units.h"
#include "process/family.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int descendants_adopt(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

#define PATIENCE (2 * NS_PER_S) /* with what does not die of KILL */

bool descendants_exist(void)
{
	siginfo_t si;

	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD;
}

bool descendants_signal_one(pid_t pid, int signal)
{
	if (kill(pid, signal) < 0)
		return false;
	if (signal && signal != SIGKILL)
		kill(pid, SIGCONT); /* a stopped process does not handle it */
	return true;
}

/* Reaps it, or gives it the signal. True: it is still to end. */
static bool relative_signal(const struct relative *r, int signal)
{
	if (r->dead && r->parent == FAMILY_HEAD)
		waitpid(r->pid, NULL, WNOHANG);
	return !r->dead && descendants_signal_one(r->pid, signal);
}

int descendants_signal(int signal)
{
	struct family all;
	int found = 0;

	if (!descendants_exist())
		return 0;
	family_read(&all);
	for (size_t i = 0; i < all.count; i++)
		found += relative_signal(&all.items[i], signal);
	family_free(&all);
	return found;
}

static void name_of(pid_t pid, char *name, size_t size)
{
	proc_text_of(pid, "comm", name, size);
	name[strcspn(name, "\n")] = '\0';
}

void process_give_up(const char *rule, pid_t pid, int why)
{
	char name[32];

	name_of(pid, name, sizeof name);
	log_warn(rule, "cannot end process %d (%s): %s; it is left running", (int)pid, name,
		 why ? strerror(why) : "KILL has no effect");
}

void descendants_give_up(void)
{
	struct family all;

	if (!descendants_exist())
		return;
	family_read(&all);
	for (size_t i = 0; i < all.count; i++) {
		const struct relative *r = &all.items[i];

		if (!r->dead)
			process_give_up(NULL, r->pid, kill(r->pid, 0) < 0 ? errno : 0);
	}
	family_free(&all);
}

void descendants_end(void)
{
	struct timespec moment = {0, NS_PER_MS};
	int64_t last = clock_read(CLOCK_OF_LOOP) + PATIENCE;

	while (descendants_signal(SIGKILL) > 0 && clock_read(CLOCK_OF_LOOP) < last) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		nanosleep(&moment, NULL);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}
