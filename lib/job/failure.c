/* See failure.h. */
#include "job/failure.h"

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/units.h"
#include "process/launch.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that is there but "not found" when it is executed: what its first line names is not. */
static bool lacks_interpreter(const char *file, const char *cwd)
{
	return (*file == '/' || (!cwd && strchr(file, '/'))) && access(file, F_OK) == 0;
}

/* What keeps the kernel from executing a file, which says no more than "Permission denied". */
static const char *obstacle(const char *file, const char *cwd)
{
	struct stat st;

	if ((cwd && *file != '/') || !strchr(file, '/') || stat(file, &st) < 0)
		return NULL;
	if (S_ISDIR(st.st_mode))
		return "it is a directory";
	return S_ISREG(st.st_mode) && !(st.st_mode & 0111) ? "it is not executable (chmod +x)"
							   : NULL;
}

static void describe(struct buf *b, const struct failures *f)
{
	const char *what = f->program->text ? f->program->shell : f->program->words[0];
	bool executed = strcmp(f->step, STEP_EXECUTE) == 0;
	const char *why = f->why == EACCES && executed ? obstacle(what, f->around->cwd) : NULL;

	if (executed && f->why == ENOENT && lacks_interpreter(what, f->around->cwd))
		buf_printf(b, "%s: its interpreter (#! in its first line) is not there", what);
	else if (executed && f->why == ENOENT)
		buf_printf(b, "%s: command not found", what);
	else if (executed && f->why == E2BIG)
		buf_printf(b, "%s: an argument or environment variable is too long", what);
	else if (strcmp(f->step, STEP_CHDIR) == 0)
		buf_printf(b, "--cwd %s: %s", f->around->cwd, strerror(f->why));
	else
		buf_printf(b, "%s: cannot %s: %s", what, f->step, why ? why : strerror(f->why));
}

/* Logs the last failure, or how many equal ones followed it. */
static void log_last(struct failures *f)
{
	struct buf b = {0};

	describe(&b, f);
	if (f->unlogged)
		buf_printf(&b, " (%llu more)", (unsigned long long)f->unlogged);
	log_error(f->rule, "%s", b.failed ? "out of memory" : b.data);
	buf_free(&b);
	f->unlogged = 0;
}

/* Without the timer nothing is held back. */
static void wait_a_second(struct failures *f)
{
	timer_start_in(f->reactor, &f->second, NS_PER_S);
}

static void on_second(struct reactor *r, struct timer *t)
{
	struct failures *f = CONTAINER_OF(t, struct failures, second);

	(void)r;
	if (!f->unlogged)
		return;
	log_last(f);
	wait_a_second(f);
}

void failures_init(struct failures *f, struct reactor *r, const char *rule,
		   const struct program *program, const struct surroundings *around)
{
	*f = (struct failures){.reactor = r, .rule = rule, .program = program, .around = around};
	timer_init(&f->second, CLOCK_OF_LOOP, on_second);
}

void failures_add(struct failures *f, const char *step, int why)
{
	if (timer_active(&f->second) && f->why == why && strcmp(f->step, step) == 0) {
		f->unlogged++;
		return;
	}
	failures_close(f);
	f->step = step;
	f->why = why;
	log_last(f);
	wait_a_second(f);
}

void failures_close(struct failures *f)
{
	timer_stop(f->reactor, &f->second);
	if (f->unlogged)
		log_last(f);
}
