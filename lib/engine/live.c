/*
 * The status line of a terminal (live_text.c has what it says). It stands on the last row, below a
 * scroll region (DECSTBM) that ends one row above it, so that whatever commands write, a part of a
 * line included, scrolls by undisturbed.
 *
 * It is not drawn while another process group has the terminal: an editor that --stdin inherit
 * started, or the shell that put evwatch into the background.
 */
#include "engine/state.h"

#include "base/error.h"
#include "base/list.h"
#include "base/units.h"
#include "output/sink.h"
#include "process/guard.h"
#include "rule/rule.h"
#include "source/source.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LEAST_ROWS = 3, LEAST_COLUMNS = 20, SOON = 50 * 1000 * 1000 /* ns */ };

struct live {
	struct engine *engine;
	struct timer second;
	struct signal_watcher resized;
	struct buf text;
	int rows, columns; /* 0: nothing is drawn */
	bool soon;         /* it is drawn after SOON, not at the next second */
	bool plain;        /* NO_COLOR */
};

/* ---- the terminal ---------------------------------------------------------------------------- */

static void put(struct live *l, struct buf *b)
{
	if (!b->failed && b->length)
		sink_write(l->engine->config->errors, b->data, b->length);
	buf_clear(b);
}

/* The guardian ends the scroll region if this process cannot. */
static void tell_guardian(const struct live *l, bool has_region)
{
	if (l->engine->config->guard)
		guard_screen(l->engine->config->guard, has_region);
}

/* Takes the last row out of what scrolls; the cursor is first moved off it, if it stands there. */
static void take_row(struct live *l)
{
	struct winsize size;

	l->rows = l->columns = 0;
	if (ioctl(2, TIOCGWINSZ, &size) < 0 || size.ws_row < LEAST_ROWS ||
	    size.ws_col < LEAST_COLUMNS)
		return;
	l->rows = size.ws_row;
	l->columns = size.ws_col;
	tell_guardian(l, true);
	buf_printf(&l->text, "\033D\033[A\0337\033[1;%dr\0338", l->rows - 1);
	put(l, &l->text);
}

static void give_row_back(struct live *l)
{
	if (!l->rows)
		return;
	buf_printf(&l->text, "\0337\033[r\033[%d;1H\033[K\0338", l->rows);
	put(l, &l->text);
	l->rows = 0;
	tell_guardian(l, false);
}

static bool has_terminal(void)
{
	return tcgetpgrp(2) == getpgrp();
}

static void draw(struct live *l)
{
	struct buf said = {0};

	if (!has_terminal()) {
		l->rows = 0; /* whoever has it may have undone the scroll region */
		return;
	}
	if (!l->rows)
		take_row(l);
	if (!l->rows)
		return;
	live_say(l->engine, &said);
	if (!said.failed)
		buf_printf(&l->text, "\0337\033[%d;1H%s%.*s\033[K\033[0m\0338", l->rows,
			   l->plain ? "" : "\033[7m", l->columns - 1, said.data);
	put(l, &l->text);
	buf_free(&said);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Just after the second of the wall clock has changed. */
static void wait_a_second(struct live *l)
{
	timer_start_in(l->engine->reactor, &l->second,
		       NS_PER_S - clock_read(CLOCK_OF_WALL) % NS_PER_S);
}

static void on_second(struct reactor *r, struct timer *t)
{
	struct live *l = CONTAINER_OF(t, struct live, second);

	(void)r;
	l->soon = false;
	draw(l);
	wait_a_second(l);
}

static void on_resized(struct reactor *r, struct signal_watcher *w, const struct signal_info *info)
{
	struct live *l = CONTAINER_OF(w, struct live, resized);

	(void)r;
	(void)info;
	give_row_back(l);
	draw(l);
}

int live_open(struct engine *e, struct error *error)
{
	const char *no_color = getenv("NO_COLOR");
	struct live *l;

	if (!e->config->live_line)
		return 0;
	l = e->live = calloc(1, sizeof *l);
	if (!l)
		return error_errno(error, "cannot start");
	l->engine = e;
	l->plain = no_color && *no_color;
	timer_init(&l->second, CLOCK_OF_LOOP, on_second);
	signal_init(&l->resized, SIGWINCH, on_resized);
	if (signal_start(e->reactor, &l->resized) < 0)
		return error_errno(error, "cannot watch the size of the terminal");
	wait_a_second(l);
	return 0;
}

void live_changed(struct engine *e)
{
	if (!e->live || e->live->soon)
		return;
	e->live->soon = true;
	timer_start_in(e->reactor, &e->live->second, SOON);
}

void live_lend(struct engine *e)
{
	if (e->live && has_terminal())
		give_row_back(e->live);
}

void live_close(struct engine *e)
{
	if (!e->live)
		return;
	timer_stop(e->reactor, &e->live->second);
	signal_stop(e->reactor, &e->live->resized);
	if (has_terminal())
		give_row_back(e->live);
	buf_free(&e->live->text);
	free(e->live);
	e->live = NULL;
}
