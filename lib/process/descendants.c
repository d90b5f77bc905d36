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

/* A subreaper without a child has no descendant, and need not read all of /proc to know it. */
static bool has_children(void)
{
	siginfo_t si;

	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD;
}

/* Reaps it, or gives it the signal. True: it is still to end. */
static bool relative_signal(const struct relative *r, int signal)
{
	if (r->dead && r->parent == FAMILY_HEAD)
		waitpid(r->pid, NULL, WNOHANG);
	if (r->dead || kill(r->pid, signal) < 0)
		return false;
	if (signal && signal != SIGKILL)
		kill(r->pid, SIGCONT); /* a stopped process would not hear of it */
	return true;
}

int descendants_signal(int signal)
{
	struct family all;
	int found = 0;

	if (!has_children())
		return 0;
	family_read(&all);
	for (size_t i = 0; i < all.count; i++)
		found += relative_signal(&all.items[i], signal);
	family_free(&all);
	return found;
}

/* A command has an environment of 128 KiB at most here; what is beyond is not looked at. */
enum { ENVIRONMENT = 128 * 1024 };

/* Does NAME=VALUE, or with `whole` false what begins so, stand in it? */
static bool has_variable(const char *text, size_t length, const char *variable, bool whole)
{
	size_t n = strlen(variable) + whole;

	for (const char *at = text; at < text + length; at += strlen(at) + 1)
		if ((size_t)(text + length - at) >= n && memcmp(at, variable, n) == 0)
			return true;
	return false;
}

/* What may not be read is not ours to end. `text` has ENVIRONMENT bytes of room. */
static enum belonging belonging_read(pid_t pid, const char *variable, char *text)
{
	char path[32];
	size_t length = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return BELONGS_TO_OTHERS;
	while (length < ENVIRONMENT - 1 &&
	       (n = read(fd, text + length, ENVIRONMENT - 1 - length)) > 0)
		length += (size_t)n;
	close(fd);
	text[length] = '\0';
	if (has_variable(text, length, variable, true))
		return BELONGS;
	return has_variable(text, length, "EVWATCH_RULE=", false) ? BELONGS_TO_OTHERS
								  : BELONGS_AS_ITS_PARENT;
}

/* Its parents stand before it, and know already. */
static bool belongs(const struct family *all, struct relative *r, const char *variable, char *text)
{
	r->belonging = belonging_read(r->pid, variable, text);
	if (r->belonging == BELONGS_AS_ITS_PARENT)
		r->belonging =
		    r->parent == FAMILY_HEAD ? BELONGS_TO_OTHERS : all->items[r->parent].belonging;
	return r->belonging == BELONGS;
}

static int signal_belonging(const struct family *all, const char *variable, char *text, pid_t group,
			    int signal)
{
	int found = 0;

	for (size_t i = 0; i < all->count; i++) {
		struct relative *r = &all->items[i];

		if (belongs(all, r, variable, text) && r->group != group && !r->dead)
			found += relative_signal(r, signal);
	}
	return found;
}

int descendants_signal_marked(const char *value, pid_t group, int signal)
{
	char *text, *variable;
	struct family all;
	int found = 0;

	if (!has_children() || asprintf(&variable, "%s=%s", MARK, value) < 0)
		return 0;
	text = malloc(ENVIRONMENT);
	family_read(&all);
	if (text)
		found = signal_belonging(&all, variable, text, group, signal);
	family_free(&all);
	free(text);
	free(variable);
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

	if (!has_children())
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
