/* `evwatch top`: a live screen of what an evwatch does, and keys to act on its rules. */
#include "client.h"
#include "tool_options.h"
#include "tools.h"
#include "top.h"

#include "base/fd.h"
#include "base/option.h"
#include "base/text.h"
#include "base/units.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

struct top_options {
	char *control;
};

static const struct option top_options[] = {
    {.name = "control",
     .type = OPTION_TEXT,
     .offset = offsetof(struct top_options, control),
     .value = "PATH"},
    {0},
};

static volatile sig_atomic_t ended_by; /* a signal, or 0 */

static void on_signal(int number)
{
	if (number != SIGWINCH) /* that only interrupts the wait */
		ended_by = number;
}

/* ---- the terminal ---------------------------------------------------------------------------- */

static void write_out(const char *text, size_t length)
{
	if (fd_write_all(1, text, length) < 0)
		ended_by = SIGHUP;
}

static void take_terminal(struct termios *before)
{
	static const char start[] = "\033[?1049h\033[?25l";
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
	struct sigaction action = {.sa_handler = on_signal};
	struct termios raw;

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaction(signals[i], &action, NULL);
	tcgetattr(0, before);
	raw = *before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(0, TCSANOW, &raw);
	write_out(start, sizeof start - 1);
}

static void give_terminal_back(const struct termios *before)
{
	static const char end[] = "\033[?25h\033[?1049l";

	write_out(end, sizeof end - 1);
	tcsetattr(0, TCSANOW, before);
}

static void read_size(struct top *t)
{
	struct winsize size;

	t->rows = 24;
	t->columns = 80;
	if (ioctl(1, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
		return;
	t->rows = size.ws_row;
	t->columns = size.ws_col;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* Sends a request, and keeps its result for the line of messages. */
static void act(struct top *t, const char *control, const char *what, const char *rule)
{
	const struct json_value *answer = NULL;
	struct buf request = {0};
	struct client c;

	buf_printf(&request, "{\"do\":\"%s\"", what);
	if (rule) {
		buf_add_text(&request, ",\"rule\":");
		json_add_string(&request, rule, strlen(rule));
	}
	buf_add_char(&request, '}');
	if (!request.failed && client_open(&c, "top", control) == 0) {
		answer = client_ask(&c, request.data, false);
		t->failed = !json_flag(answer, "ok");
		snprintf(t->message, sizeof t->message, "%s %s: %.100s", what, rule ? rule : "",
			 t->failed ? json_text(answer, "error", "no answer") : "done");
		client_close(&c);
	}
	buf_free(&request);
}

static bool is_paused(const struct json_value *rule)
{
	return strcmp(json_text(rule, "state", ""), "paused") == 0;
}

/* The arrows come as ESC [ A or, from some terminals, ESC O A. Returns 'U', 'D', or the key. */
static char next_key(const char **at)
{
	char c = *(*at)++;

	if (c != '\033' || ((*at)[0] != '[' && (*at)[0] != 'O') || !(*at)[1])
		return c;
	*at += 2;
	return (*at)[-1] == 'A' ? 'U' : (*at)[-1] == 'B' ? 'D' : '\033';
}

static void press(struct top *t, const char *control, char key)
{
	const struct json_value *rule = top_selected(t);
	const char *name = json_text(rule, "name", "");

	if (key == 'U' || key == 'k')
		top_select(t, -1);
	else if (key == 'D' || key == 'j')
		top_select(t, 1);
	else if (key == 'o' || key == 'O')
		top_reorder(t, key == 'O');
	else if (key == 'R')
		act(t, control, "reload", NULL);
	else if (rule && key == 'r')
		act(t, control, "trigger", name);
	else if (rule && key == 's')
		act(t, control, "stop", name);
	else if (rule && key == 'p')
		act(t, control, is_paused(rule) ? "resume" : "pause", name);
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Waits for a key, until `next` (ns) at most. False: it is over. */
static bool wait_for_key(struct top *t, const char *control, int64_t next)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};
	int64_t left = next - clock_read(CLOCK_OF_LOOP);
	const char *at;
	char keys[64];
	ssize_t n;

	poll(&in, 1, left > 0 ? (int)(left / NS_PER_MS) + 1 : 0);
	if (ended_by)
		return false;
	if (!(in.revents & (POLLIN | POLLHUP)))
		return true;
	n = read(0, keys, sizeof keys - 1);
	if (n <= 0)
		return n < 0 && errno == EINTR;
	keys[n] = '\0';
	for (at = keys; *at;) {
		char key = next_key(&at);

		if (key == 'q')
			return false;
		press(t, control, key);
	}
	return true;
}

static void show(struct top *t, const struct json_value *status)
{
	struct buf screen = {0};

	read_size(t);
	top_arrange(t, status);
	top_draw(t, status, &screen);
	if (!screen.failed)
		write_out(screen.data, screen.length);
	buf_free(&screen);
}

static int watch(struct client *c, const char *control)
{
	const char *no_color = getenv("NO_COLOR");
	const struct json_value *status = client_do(c, "{\"do\":\"status\"}", false);
	struct top t = {.colour = !(no_color && *no_color),
			.unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
	struct termios before;
	int64_t next = clock_read(CLOCK_OF_LOOP);

	if (!status)
		return 1;
	take_terminal(&before);
	do {
		if (clock_read(CLOCK_OF_LOOP) >= next) {
			top_sample(&t, status);
			next = clock_read(CLOCK_OF_LOOP) + NS_PER_S;
		}
		show(&t, status);
	} while (wait_for_key(&t, control, next) &&
		 (status = client_ask(c, "{\"do\":\"status\"}", false)));
	give_terminal_back(&before);
	top_release(&t);
	if (!status)
		fputs("evwatch: top: evwatch has ended\n", stderr);
	return status ? 0 : 1;
}

int tool_top(int argc, char **argv)
{
	struct top_options o = {0};
	struct client c;
	int count = argc - 1, status = 2;

	if (tool_options_read("top", top_options, &o, argv + 1, &count) == 0 &&
	    tool_options_finish("top", top_options, argv + 1, &count) == 0) {
		if (count || !isatty(0) || !isatty(1)) {
			fputs(count
				  ? "evwatch: top takes only options\n"
				  : "evwatch: top needs a terminal; \"evwatch status\" does not\n",
			      stderr);
		} else {
			status = 1;
			if (client_open(&c, "top", o.control) == 0)
				status = watch(&c, o.control);
			client_close(&c);
		}
	}
	option_release(top_options, &o);
	return status;
}
