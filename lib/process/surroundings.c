/* What the options say of a command's surroundings, resolved once at start. See launch.h. */
#include "process/launch.h"

#include "base/array.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

/* What a login gives the user of --run-as, whatever evwatch itself has. */
static const char *const of_login[] = {"HOME", "USER", "LOGNAME", "SHELL", "PATH"};

/*
 * What belongs to the session in which evwatch was started: agents, buses, screens and directories
 * that another user may not use, or must not.
 */
static const char *const of_session[] = {
    "DBUS_SESSION_BUS_ADDRESS",
    "DBUS_STARTER_ADDRESS",
    "DISPLAY",
    "GNUPGHOME",
    "GPG_AGENT_INFO",
    "GPG_TTY",
    "ICEAUTHORITY",
    "KRB5CCNAME",
    "MAIL",
    "OLDPWD",
    "SESSION_MANAGER",
    "STY",
    "TMUX",
    "TMUX_PANE",
    "WINDOWID",
    "XAUTHORITY",
};
static const char *const of_session_families[] = {"SSH_", "SUDO_", "WAYLAND_", "XDG_"};

static bool is_among(const char *const *names, size_t n, const char *variable, size_t length)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == length && memcmp(names[i], variable, length) == 0)
			return true;
	return false;
}

/* Is this variable another one for the user of --run-as, or none? */
static bool is_of_user(const char *variable)
{
	size_t length = strcspn(variable, "=");

	for (size_t i = 0; i < ARRAY_LENGTH(of_session_families); i++)
		if (strncmp(variable, of_session_families[i], strlen(of_session_families[i])) == 0)
			return true;
	return is_among(of_login, ARRAY_LENGTH(of_login), variable, length) ||
	       is_among(of_session, ARRAY_LENGTH(of_session), variable, length);
}

static bool is_set_by_option(const struct surroundings_config *c, const char *variable)
{
	size_t length = strcspn(variable, "=") + 1;

	for (size_t i = 0; i < c->env.count; i++)
		if (strncmp(c->env.items[i], variable, length) == 0)
			return true;
	return false;
}

/*
 * Does the command get another value, or none? Of evwatch's own variables those of an evwatch
 * around this one are not passed on.
 */
static bool is_shadowed(const struct surroundings *s, const struct surroundings_config *c,
			const char *variable)
{
	if (strncmp(variable, "EVWATCH_", 8) == 0)
		return strncmp(variable, "EVWATCH_BACKEND=", 16) != 0;
	return (s->change_user && is_of_user(variable)) || is_set_by_option(c, variable);
}

/* Makes s->login, in the order of of_login. Returns 0, or -1 with ENOMEM. */
static int login_write(struct surroundings *s)
{
	const struct user *u = &s->user;
	const char *values[] = {
	    u->home, u->name, u->name, u->shell,
	    u->uid ? "/usr/local/bin:/usr/bin:/bin"
		   : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};

	_Static_assert(ARRAY_LENGTH(of_login) == LOGIN_VARIABLES, "one place each");
	_Static_assert(ARRAY_LENGTH(values) == LOGIN_VARIABLES, "one value each");
	for (size_t i = 0; i < LOGIN_VARIABLES; i++)
		if (asprintf(&s->login[i], "%s=%s", of_login[i], values[i]) < 0) {
			s->login[i] = NULL;
			return -1;
		}
	return 0;
}

/* What a service manager says to evwatch is not for its commands. */
static bool is_of_service(const char *variable)
{
	static const char *const names[] = {"NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=",
					    "LISTEN_PID=",    "LISTEN_FDS=",    "LISTEN_FDNAMES="};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static int environment_make(struct surroundings *s, const struct surroundings_config *c)
{
	size_t own = 0;

	while (environ && environ[own])
		own++;
	s->environment = calloc(own + c->env.count + LOGIN_VARIABLES + 1, sizeof *s->environment);
	if (!s->environment || (s->change_user && login_write(s) < 0))
		return -1;
	for (size_t i = 0; i < own && !c->clear_env; i++)
		if (!is_of_service(environ[i]) && !is_shadowed(s, c, environ[i]))
			s->environment[s->n_environment++] = environ[i];
	for (size_t i = 0; i < LOGIN_VARIABLES; i++)
		if (s->login[i] && !is_set_by_option(c, s->login[i]))
			s->environment[s->n_environment++] = s->login[i];
	for (size_t i = 0; i < c->env.count; i++)
		s->environment[s->n_environment++] = c->env.items[i];
	return 0;
}

int surroundings_open(struct surroundings *s, const struct surroundings_config *c, struct error *e)
{
	*s = (struct surroundings){
	    .cwd = c->cwd,
	    .umask = c->umask,
	    .nice = c->nice,
	    .change_user = c->run_as,
	    .no_new_privs = c->no_new_privs,
	    .shell = c->shell,
	};
	if (c->run_as && user_find(&s->user, c->run_as, "--run-as", e) < 0)
		return -1;
	if (environment_make(s, c) < 0)
		return error_errno(e, "cannot prepare the command");
	return 0;
}

void surroundings_close(struct surroundings *s)
{
	user_release(&s->user);
	for (size_t i = 0; i < LOGIN_VARIABLES; i++)
		free(s->login[i]);
	free(s->environment);
	*s = (struct surroundings){0};
}
