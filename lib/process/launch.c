/* Arguments and environment of a run. See launch.h; the start itself is in spawn.c. */
#include "process/launch.h"

#include "base/array.h"
#include "base/error.h"
#include "event/event.h"
#include "process/sweep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* ---- programs -------------------------------------------------------------------------------- */

static int program_add(struct program *p, const char *word, size_t length)
{
	char **grown = realloc(p->words, (p->count + 2) * sizeof *grown);

	if (!grown)
		return -1;
	p->words = grown;
	p->words[p->count] = strndup(word, length);
	if (!p->words[p->count])
		return -1;
	p->words[++p->count] = NULL;
	return 0;
}

/* Splits text that needs no shell at its blanks, as the shell would. */
static int program_split(struct program *p, const char *text)
{
	for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
		size_t length = strcspn(text, " \t");

		if (program_add(p, text, length) < 0)
			return -1;
		text += length;
	}
	return 0;
}

static int program_read(struct program *p, const struct command *c, bool default_shell)
{
	if (c->shell && default_shell && !text_needs_shell(c->words[0]))
		return program_split(p, c->words[0]);
	if (c->shell) {
		p->text = c->words[0];
		return 0;
	}
	for (size_t i = 0; i < c->count; i++) {
		p->braces += strcmp(c->words[i], "{}") == 0;
		if (program_add(p, c->words[i], strlen(c->words[i])) < 0)
			return -1;
	}
	return 0;
}

/* What a string costs in the new process: its bytes and its pointer. */
static size_t cost(const char *text)
{
	return strlen(text) + 1 + sizeof(char *);
}

/* As it is passed. */
static size_t cost_of_subject(const char *text)
{
	size_t c = cost(text), most = LONGEST_ARGUMENT + 1 + sizeof(char *);

	return c < most ? c : most;
}

/* What all runs have beside their subjects does not change: it is counted once. */
static size_t room_for_subjects(const struct program *p, const struct surroundings *s)
{
	long most = sysconf(_SC_ARG_MAX);
	size_t room = (size_t)(most > 0 ? most : 131072), used = 16384; /* details, auxv, padding */

	if (!p->text && !p->braces)
		return SIZE_MAX;
	for (size_t i = 0; i < s->n_environment; i++)
		used += cost(s->environment[i]);
	for (size_t i = 0; i < p->count; i++)
		used += cost(p->words[i]);
	if (p->text)
		used += cost(p->text);
	return used < room ? (room - used) / (p->text ? 1 : p->braces) : 0;
}

size_t launch_fit(const struct program *p, const char *const *subjects, size_t from, size_t n)
{
	size_t fit = 0, used = 0;

	if (p->room == SIZE_MAX)
		return n - from;
	while (from + fit < n && used + cost_of_subject(subjects[from + fit]) < p->room)
		used += cost_of_subject(subjects[from + fit++]);
	return fit || from == n ? fit : 1;
}

static char *title_of(const char *rule)
{
	char *title;

	return asprintf(&title, "evwatch: %s", rule) < 0 ? NULL : title;
}

int program_open(struct program *p, const struct command *c, const struct surroundings *s,
		 const char *rule)
{
	*p = (struct program){.shell = s->shell ? s->shell : "/bin/sh"};
	p->title = title_of(rule);
	if (!p->title || program_read(p, c, !s->shell) < 0)
		return -1;
	p->room = room_for_subjects(p, s);
	return 0;
}

void program_close(struct program *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->words[i]);
	free(p->words);
	free(p->title);
	*p = (struct program){0};
}

/* ---- arguments ------------------------------------------------------------------------------- */

static int cut_subject(struct launch *l, char **argument)
{
	char **grown = realloc(l->cuts, (l->n_cuts + 1) * sizeof *grown);

	if (!grown)
		return -1;
	l->cuts = grown;
	l->cuts[l->n_cuts] = strndup(*argument, LONGEST_ARGUMENT);
	if (!l->cuts[l->n_cuts])
		return -1;
	*argument = l->cuts[l->n_cuts++];
	return 0;
}

/* Puts the subjects at `to`; those that are too long are cut. */
static int add_subjects(struct launch *l, char **to, const char *const *subjects, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		to[i] = (char *)(uintptr_t)subjects[i];
		if (strnlen(to[i], LONGEST_ARGUMENT + 1) > LONGEST_ARGUMENT &&
		    cut_subject(l, &to[i]) < 0)
			return -1;
	}
	return 0;
}

static int prepare_argv(struct launch *l, const struct program *p, const char *const *subjects,
			size_t n)
{
	size_t at = 0;

	l->argv = calloc(p->count + (p->braces + 1) * n + 5, sizeof *l->argv);
	if (!l->argv)
		return -1;
	if (p->text) {
		l->argv[at++] = (char *)(uintptr_t)p->shell;
		l->argv[at++] = (char *)(uintptr_t) "-c";
		l->argv[at++] = (char *)(uintptr_t)p->text;
		l->argv[at++] = p->title;
		return add_subjects(l, l->argv + at, subjects, n);
	}
	for (size_t w = 0; w < p->count; w++) {
		if (!p->braces || strcmp(p->words[w], "{}") != 0) {
			l->argv[at++] = p->words[w];
			continue;
		}
		if (add_subjects(l, l->argv + at, subjects, n) < 0)
			return -1;
		at += n;
	}
	return 0;
}

/* ---- environment ----------------------------------------------------------------------------- */

/* NAME=VALUE strings behind each other, and names to take away. */
struct variables {
	struct buf text;
	size_t count;
	const struct event *event;
};

static void variable_add(struct variables *v, const char *name, const char *value)
{
	buf_add_text(&v->text, name);
	buf_add_char(&v->text, '=');
	buf_add(&v->text, value, strlen(value) + 1);
	v->count++;
}

static void add_facts(struct variables *v, const struct event *e, const struct run_facts *facts)
{
	char text[64];
	struct timespec now = e->time;

	if (now.tv_sec == 0)
		clock_gettime(CLOCK_REALTIME, &now);
	variable_add(v, "EVWATCH_RULE", facts->rule);
	variable_add(v, "EVWATCH_SOURCE", facts->kind);
	variable_add(v, "EVWATCH_EVENT", e->name);
	snprintf(text, sizeof text, "%llu", (unsigned long long)facts->ordinal);
	variable_add(v, "EVWATCH_COUNT", text);
	snprintf(text, sizeof text, "%lld.%09ld", (long long)now.tv_sec, now.tv_nsec);
	variable_add(v, "EVWATCH_TIME", text);
	if (facts->mark)
		variable_add(v, MARK, facts->mark);
	for (size_t i = 0; i < e->n_details; i++)
		if (e->details[i].value)
			variable_add(v, e->details[i].name, e->details[i].value);
}

/*
 * Does the event set, or unset, this variable of evwatch's own environment? (Those of evwatch are
 * not in there: surroundings_open keeps them out.)
 */
static bool is_replaced(const struct event *e, const char *variable)
{
	for (size_t i = 0; i < e->n_details; i++) {
		size_t length = strlen(e->details[i].name);

		if (e->details[i].name[0] == variable[0] &&
		    strncmp(variable, e->details[i].name, length) == 0 && variable[length] == '=')
			return true;
	}
	return false;
}

#define PID_PLACE "          " /* ten digits at most */

static void add_passed(struct variables *v, const struct passed *passed)
{
	char count[24];

	snprintf(count, sizeof count, "%zu", passed->n);
	variable_add(v, "LISTEN_FDS", count);
	variable_add(v, "LISTEN_FDNAMES", passed->names);
	variable_add(v, "LISTEN_PID", PID_PLACE);
}

static int prepare_envp(struct launch *l, const struct surroundings *s, struct variables *v,
			const struct event *e)
{
	size_t at = 0;
	char *text;

	l->strings = buf_take(&v->text);
	l->envp = calloc(s->n_environment + v->count + 1, sizeof *l->envp);
	if (!l->strings || !l->envp)
		return -1;
	for (size_t i = 0; i < s->n_environment; i++)
		if (!is_replaced(e, s->environment[i]))
			l->envp[at++] = s->environment[i];
	text = l->strings;
	for (size_t i = 0; i < v->count; i++) {
		if (l->passed && strcmp(text, "LISTEN_PID=" PID_PLACE) == 0)
			l->pid_text = text + strlen("LISTEN_PID=");
		l->envp[at++] = text;
		text += strlen(text) + 1;
	}
	return 0;
}

int launch_prepare(struct launch *l, const struct program *p, const struct surroundings *s,
		   const struct event *first, const struct run_facts *facts,
		   const char *const *subjects, size_t n)
{
	struct variables v = {0};

	*l = (struct launch){.around = s, .fds = {-1, -1, -1}};
	l->passed = facts->passed;
	add_facts(&v, first, facts);
	if (l->passed)
		add_passed(&v, l->passed);
	if (prepare_argv(l, p, subjects, n) == 0 && prepare_envp(l, s, &v, first) == 0)
		return 0;
	buf_free(&v.text);
	launch_release(l);
	errno = ENOMEM;
	return -1;
}

void launch_release(struct launch *l)
{
	for (size_t i = 0; i < l->n_cuts; i++)
		free(l->cuts[i]);
	free(l->cuts);
	l->cuts = NULL;
	l->n_cuts = 0;
	free(l->argv);
	free(l->envp);
	free(l->strings);
	l->argv = l->envp = NULL;
	l->strings = NULL;
}

void command_free(struct command *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->words[i]);
	free(c->words);
	*c = (struct command){0};
}
