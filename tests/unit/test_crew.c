/* lib/crew: members are born, speak, die, are replaced, and end when asked to. */
#include "crew/crew.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/units.h"
#include "tap.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MEMBERS = 3, END = 'e', PID = 'p' };

static struct reactor *r;
static struct crew crew;
static pid_t pids[MEMBERS];
static int births[MEMBERS], deaths[MEMBERS];
static struct buf logged;

/* A member says who it is, and ends when it is asked to, or when we are gone. */
static void work(struct crew_member *m, int fd)
{
	struct pollfd asked = {.fd = fd, .events = POLLIN};
	struct channel c = {.io.fd = -1};
	pid_t pid = getpid();

	(void)m;
	if (signal(SIGTERM, SIG_IGN) != SIG_IGN || signal(SIGSEGV, SIG_DFL) != SIG_DFL)
		pid = 0;
	r = reactor_new(NULL, &(struct reactor_error){0});
	if (!r || channel_open(&c, r, fd, NULL, NULL) < 0 || channel_say(&c, PID, &pid, sizeof pid))
		_exit(9);
	channel_flush(&c, 10000);
	poll(&asked, 1, 60000);
	channel_say(&c, END, NULL, 0);
	channel_flush(&c, 10000);
	_exit(0);
}

static void on_said(struct crew_member *m, unsigned char type, const char *bytes, size_t length)
{
	if (type == PID && length == sizeof *pids) {
		memcpy(&pids[m->number], bytes, length);
		births[m->number]++;
	} else if (type == END) {
		pids[m->number] = -1;
	}
}

static void on_ended(struct crew_member *m, struct buf *lost)
{
	deaths[m->number]++;
	buf_add_text(lost, "; all is lost");
}

/* ---- a channel by itself --------------------------------------------------------------------- */

enum { MESSAGES = 60, MESSAGE = 1000 }; /* that a socket takes, and not one read */

static int heard;
static bool gone;

static void on_message(struct channel *c, unsigned char type, const char *bytes, size_t length)
{
	(void)c;
	(void)bytes;
	heard += type == PID && length == MESSAGE;
	gone |= type == 0;
}

/* The answer to one that has gone fails, and more was said than is read at once. */
static void test_last_words(void)
{
	struct channel ours = {.io.fd = -1}, theirs = {.io.fd = -1};
	char message[MESSAGE] = {0};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
	    channel_open(&ours, r, pair[0], on_message, NULL) < 0 ||
	    channel_open(&theirs, r, pair[1], on_message, NULL) < 0)
		abort();
	for (int i = 0; i < MESSAGES; i++)
		channel_say(&theirs, PID, message, sizeof message);
	SAME(channel_waiting(&theirs), 0, "the socket takes all that is said");
	channel_close(&theirs);
	channel_say(&ours, END, NULL, 0);
	for (int i = 0; i < 1000 && !gone; i++)
		reactor_turn(r, 10 * NS_PER_MS);
	SAME(heard, MESSAGES,
	     "what was said before the other side went is heard, whatever is answered");
}

static const struct crew_calls calls = {.work = work, .said = on_said, .ended = on_ended};

static void on_line(void *context, const char *line, size_t length)
{
	(void)context;
	buf_add(&logged, line, length);
}

static int sum(const int *counts)
{
	return counts[0] + counts[1] + counts[2];
}

/* Turns until there were so many, for ten seconds at most. */
static void turn_until(const int *counts, int wanted)
{
	for (int i = 0; i < 1000 && sum(counts) < wanted; i++)
		reactor_turn(r, 10 * NS_PER_MS);
}

static void test_births(void)
{
	crew = (struct crew){.reactor = r, .rule = "test", .calls = &calls};
	OK(crew_open(&crew, MEMBERS) == 0 && !crew_runs(&crew), "a crew that is open runs nobody");
	crew_start(&crew);
	turn_until(births, MEMBERS);
	OK(births[0] == 1 && births[1] == 1 && births[2] == 1,
	   "each member is born once, and speaks");
	OK(pids[0] > 0 && pids[1] > 0 && pids[2] > 0,
	   "without the handlers and signals of this one");
	OK(pids[0] != getpid() && pids[0] != pids[1], "in a process of its own");
	OK(crew_runs(&crew), "then the crew runs");
}

static void test_replacement(void)
{
	pid_t before = pids[1];

	kill(before, SIGKILL);
	turn_until(births, MEMBERS + 1);
	OK(births[1] == 2 && pids[1] != before, "one that dies is replaced");
	OK(sum(deaths) == 1 && deaths[1] == 1, "its end is reported, once");
	OK(logged.data && strstr(logged.data, "test: worker 2, pid ") &&
	       strstr(logged.data,
		      "signal 9 (Killed); all is lost; another one takes its place in "),
	   "and logged, with what is lost");
	OK(births[0] == 1 && births[2] == 1, "the others go on");
}

static void test_end(void)
{
	size_t before = logged.length;

	crew_stop(&crew);
	crew_say(&crew, END);
	turn_until(deaths, 1 + MEMBERS);
	SAME(sum(deaths), 1 + MEMBERS, "all end that are asked to");
	OK(pids[0] == -1 && pids[1] == -1 && pids[2] == -1, "their last words are heard");
	OK(!crew_runs(&crew) && logged.length == before,
	   "which is no death, and nobody is replaced");
	crew_close(&crew);
	crew_close(&crew);
	OK(!crew_runs(&crew), "a crew may be closed twice");
}

static void test_close(void)
{
	int seen = sum(births), killed = 0, status;

	crew = (struct crew){.reactor = r, .rule = "test", .calls = &calls};
	if (crew_open(&crew, MEMBERS) < 0)
		abort();
	crew_start(&crew);
	turn_until(births, seen + MEMBERS);
	crew_close(&crew);
	for (int i = 0; i < MEMBERS; i++)
		killed += waitpid(pids[i], &status, 0) == pids[i] && WIFSIGNALED(status);
	SAME(killed, MEMBERS, "a crew that is closed leaves no process");
}

int main(void)
{
	struct reactor_error why;

	log_set_writer(on_line, NULL);
	r = reactor_new(getenv("EVWATCH_BACKEND"), &why);
	if (!r)
		return 1;
	test_last_words();
	test_births();
	test_replacement();
	test_end();
	test_close();
	reactor_free(r);
	buf_free(&logged);
	return tap_done();
}
