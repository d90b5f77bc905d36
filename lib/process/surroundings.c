/* What the options say of a command's surroundings, resolved once at start. See launch.h. */
#include "process/launch.h"

#include "base/array.h"
#include "base/error.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static bool number_read(const char *word, unsigned *n)
{
	char *end;
	unsigned long value = strtoul(word, &end, 10);

	*n = (unsigned)value;
	return *word && !*end && value < 0xffffffffUL;
}

static int groups_read(struct surroundings *s, const char *user)
{
	int n = 64;

	s->groups = calloc((size_t)n, sizeof *s->groups);
	if (!s->groups)
		return -1;
	if (getgrouplist(user, s->gid, s->groups, &n) < 0) {
		gid_t *more = realloc(s->groups, (size_t)n * sizeof *more);

		if (!more)
			return -1;
		s->groups = more;
		getgrouplist(user, s->gid, s->groups, &n);
	}
	s->n_groups = n;
	return 0;
}

/* USER[:GROUP], by name or number; without a group, all groups of the user. */
static int user_resolve(struct surroundings *s, const char *word, struct error *e)
{
	const char *colon = strchr(word, ':');
	char user[256];
	struct passwd *pw;
	struct group *gr;

	if ((colon ? (size_t)(colon - word) : strlen(word)) >= sizeof user)
		return error_set(e, "--run-as: the name is too long");
	memcpy(user, word, colon ? (size_t)(colon - word) : strlen(word) + 1);
	if (colon)
		user[colon - word] = '\0';
	pw = getpwnam(user);
	if (!pw && !number_read(user, &s->uid))
		return error_set(e, "--run-as: there is no user \"%s\"", user);
	if (!pw && !colon)
		return error_set(e, "--run-as: user %s has no name, so it needs a group: %s:GROUP",
				 user, user);
	if (pw) {
		s->uid = pw->pw_uid;
		s->gid = pw->pw_gid;
	}
	s->change_user = true;
	if (!colon)
		return groups_read(s, user) < 0 ? error_errno(e, "--run-as") : 0;
	gr = getgrnam(colon + 1);
	if (!gr && !number_read(colon + 1, &s->gid))
		return error_set(e, "--run-as: there is no group \"%s\"", colon + 1);
	if (gr)
		s->gid = gr->gr_gid;
	return 0;
}

/* Is NAME=... set by --env, or one of evwatch's own variables (of an evwatch around this one)? */
static bool is_shadowed(const struct surroundings_config *c, const char *variable)
{
	size_t length = strcspn(variable, "=") + 1;

	if (strncmp(variable, "EVWATCH_", 8) == 0)
		return strncmp(variable, "EVWATCH_BACKEND=", 16) != 0;
	for (size_t i = 0; i < c->env.count; i++)
		if (strncmp(c->env.items[i], variable, length) == 0)
			return true;
	return false;
}

static int environment_filter(struct surroundings *s, const struct surroundings_config *c)
{
	size_t own = 0;

	while (environ && environ[own])
		own++;
	s->environment = calloc(own + c->env.count + 1, sizeof *s->environment);
	if (!s->environment)
		return -1;
	for (size_t i = 0; i < own && !c->clear_env; i++)
		if (!is_shadowed(c, environ[i]))
			s->environment[s->n_environment++] = environ[i];
	for (size_t i = 0; i < c->env.count; i++)
		s->environment[s->n_environment++] = c->env.items[i];
	return 0;
}

int surroundings_open(struct surroundings *s, const struct surroundings_config *c, struct error *e)
{
	*s = (struct surroundings){.cwd = c->cwd, .umask = c->umask, .nice = c->nice};
	s->shell = c->shell;
	if (c->run_as && user_resolve(s, c->run_as, e) < 0)
		return -1;
	if (environment_filter(s, c) < 0)
		return error_errno(e, "cannot prepare the command");
	return 0;
}

void surroundings_close(struct surroundings *s)
{
	free(s->groups);
	free(s->environment);
	*s = (struct surroundings){0};
}
