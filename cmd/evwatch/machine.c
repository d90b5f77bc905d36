/* See machine.h. */
#include "machine.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "net/trial.h"
#include "rule/rule.h"
#include "source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- programs -------------------------------------------------------------------------------- */

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The value of PATH that the command gets. */
static const char *path_of(const struct surroundings_config *around)
{
	const struct text_list *env = &around->env;
	const char *path = around->clear_env ? NULL : getenv("PATH");

	for (size_t i = 0; i < env->count; i++)
		if (strncmp(env->items[i], "PATH=", 5) == 0)
			path = env->items[i] + 5;
	return path ? path : "/bin:/usr/bin";
}

static bool is_in_path(const char *name, const char *path)
{
	while (*path) {
		size_t length = strcspn(path, ":");
		struct buf file = {0};
		bool found;

		buf_printf(&file, "%.*s/%s", (int)length, length ? path : ".", name);
		found = !file.failed && is_program(file.data);
		buf_free(&file);
		if (found)
			return true;
		path += length + (path[length] == ':');
	}
	return false;
}

/* Is the command's program there? A relative path is one from --cwd. */
static int check_program(const struct surroundings_config *around, const char *name,
			 struct error *e)
{
	struct buf file = {0};
	bool found;

	if (strcmp(name, "{}") == 0)
		return 0;
	if (!strchr(name, '/')) {
		if (is_in_path(name, path_of(around)))
			return 0;
		error_set(e, "%s: command not found", name);
		return error_hint(e, "PATH is %s", path_of(around));
	}
	if (*name != '/' && around->cwd)
		buf_printf(&file, "%s/", around->cwd);
	buf_add_text(&file, name);
	found = file.failed || is_program(file.data);
	if (!found && !file.failed && access(file.data, F_OK) == 0)
		error_set(e, "%s is no program that may be executed", file.data);
	else if (!found)
		error_set(e, "%s: command not found", file.data);
	buf_free(&file);
	return found ? 0 : -1;
}

/* ---- shell text ------------------------------------------------------------------------------ */

/* Runs `SHELL -n -c TEXT` and takes what it writes to standard error. Its status, or -1. */
static int ask_shell(const char *shell, const char *text, struct buf *said)
{
	char *argv[] = {(char *)shell, (char *)"-n", (char *)"-c", (char *)text, NULL};
	extern char **environ;
	posix_spawn_file_actions_t actions;
	int out[2], status = -1;
	ssize_t n = 1;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], 2);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	errno = posix_spawn(&pid, shell, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	while (errno == 0 && n > 0 && buf_reserve(said, 4096) == 0) {
		n = read(out[0], said->data + said->length, 4095);
		said->length += n > 0 ? (size_t)n : 0;
		said->data[said->length] = '\0';
	}
	close(out[0]);
	if (errno == 0 && waitpid(pid, &status, 0) == pid)
		return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return -1;
}

/* "sh: 1: Syntax error: ..." */
static int check_syntax(const struct surroundings_config *around, const char *text, struct error *e)
{
	const char *shell = around->shell ? around->shell : "/bin/sh";
	struct buf said = {0};
	int status;

	if (!is_program(shell))
		return error_option(e, "shell", ": %s is no program", shell);
	errno = 0;
	status = ask_shell(shell, text, &said);
	if (status > 0 && said.length)
		error_set(e, "the shell rejects the command: %.*s", (int)strcspn(said.data, "\n"),
			  said.data);
	buf_free(&said);
	return status > 0 && *e->what ? -1 : 0;
}

/* Text that needs no shell is split at blanks: its first word is the program. */
static int check_text(const struct surroundings_config *around, const char *text, struct error *e)
{
	char *first;
	int result;

	if (text_needs_shell(text))
		return check_syntax(around, text, e);
	text += strspn(text, " \t\n");
	first = strndup(text, strcspn(text, " \t\n"));
	result = first && *first ? check_program(around, first, e) : 0;
	free(first);
	return result;
}

static int check_command(const struct rule *rule, struct error *e)
{
	if (!rule->command.count)
		return 0;
	if (!rule->command.shell)
		return check_program(&rule->job.around, rule->command.words[0], e);
	return check_text(&rule->job.around, rule->command.words[0], e);
}

/* --of, which runs in evwatch's own surroundings. */
static int check_own_command(const struct rule *rule, struct error *e)
{
	static const struct surroundings_config around = {.umask = -1};
	const char *text =
	    rule->type->own_command ? rule->type->own_command(rule->source_config) : NULL;

	if (!text || check_text(&around, text, e) == 0)
		return 0;
	return error_of_option(e, "of");
}

/* ---- users, folders, addresses --------------------------------------------------------------- */

static int check_surroundings(const struct rule *rule, struct error *e)
{
	const char *cwd = rule->job.around.cwd;
	struct surroundings s = {0};
	struct stat st;

	if (cwd && (stat(cwd, &st) < 0 || !S_ISDIR(st.st_mode)))
		return error_option(e, "cwd", ": %s is no directory", cwd);
	if (surroundings_open(&s, &rule->job.around, e) < 0)
		return -1;
	surroundings_close(&s);
	return 0;
}

/* --socket */
static int check_passed(const struct rule *rule, struct trial *trial, struct error *e)
{
	static const struct listen_config config = {.mode = 0600};
	const struct text_list *words = &rule->own.sockets;
	struct endpoint ep;
	size_t name;
	int result = 0;

	for (size_t i = 0; i < words->count && result == 0; i++) {
		result = rule_socket_parse(words->items[i], &ep, &name, e);
		if (result < 0)
			break;
		result = trial_add(trial, &ep, &config, e);
		endpoint_release(&ep);
	}
	return result < 0 ? error_of_option(e, "socket") : 0;
}

static int check_source(const struct rule *rule, struct trial *trial, struct error *e)
{
	if (rule->type->check_machine &&
	    rule->type->check_machine(rule->source_config, trial, e) < 0)
		return -1;
	return check_passed(rule, trial, e);
}

static int note(struct rules *rules, const struct rule *rule, const struct error *e)
{
	return diagnostics_add(&rules->diagnostics, rule->script, rule->offset, e);
}

int machine_check(struct rules *rules)
{
	static int (*const checks[])(const struct rule *rule, struct error *e) = {
	    check_own_command, check_surroundings, check_command};
	struct trial trial = {0};
	struct error e;
	int result = 0;

	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = rules->items[i];

		error_clear(&e);
		if (check_source(rule, &trial, &e) < 0)
			result = note(rules, rule, &e);
		for (size_t n = 0; n < sizeof checks / sizeof *checks; n++) {
			error_clear(&e);
			if (checks[n](rule, &e) < 0)
				result = note(rules, rule, &e);
		}
	}
	trial_end(&trial);
	return result;
}
