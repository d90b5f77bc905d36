/* See user.h. */
#include "process/user.h"

#include "base/error.h"
#include "base/owner.h"
#include "base/proc.h"
#include "base/scan.h"

#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int groups_read(struct user *u)
{
	int n = 64;

	for (;;) {
		gid_t *groups = realloc(u->groups, (size_t)n * sizeof *groups);

		if (!groups)
			return -1;
		u->groups = groups;
		u->n_groups = (size_t)n;
		if (getgrouplist(u->name, u->gid, groups, &n) >= 0)
			break;
	}
	u->n_groups = (size_t)n;
	return 0;
}

/* `name` is the word's part before the colon. */
static int account_find(struct user *u, const char *name, bool has_group, const char *option,
			struct error *e)
{
	struct passwd *pw = getpwnam(name);

	if (!pw && !owner_number(name, &u->uid))
		return error_set(e, "%s: there is no user \"%s\"", option, name);
	if (!pw)
		pw = getpwuid(u->uid);
	if (!pw && !has_group)
		return error_set(e, "%s: user %s has no name, so it needs a group: %s:GROUP",
				 option, name, name);
	if (pw) {
		u->uid = pw->pw_uid;
		u->gid = pw->pw_gid;
	}
	u->name = strdup(pw ? pw->pw_name : name);
	u->home = strdup(pw ? pw->pw_dir : "/");
	u->shell = strdup(pw && *pw->pw_shell ? pw->pw_shell : "/bin/sh");
	return u->name && u->home && u->shell ? 0 : error_errno(e, "%s", option);
}

static int group_find(struct user *u, const char *name, const char *option, struct error *e)
{
	if (owner_group(name, &u->gid, e) < 0)
		return error_set(e, "%s: there is no group \"%s\"", option, name);
	u->groups = malloc(sizeof *u->groups);
	if (!u->groups)
		return error_errno(e, "%s", option);
	u->groups[0] = u->gid;
	u->n_groups = 1;
	return 0;
}

int user_find(struct user *u, const char *word, const char *option, struct error *e)
{
	size_t length = strcspn(word, ":");
	bool has_group = word[length] == ':';
	char *name = strndup(word, length);
	int failed;

	*u = (struct user){0};
	if (!name)
		return error_errno(e, "%s", option);
	failed = account_find(u, name, has_group, option, e);
	free(name);
	if (!failed && has_group)
		failed = group_find(u, word + length + 1, option, e);
	else if (!failed && groups_read(u) < 0)
		failed = error_errno(e, "%s", option);
	if (failed)
		user_release(u);
	return failed;
}

bool user_may_change(void)
{
	enum { SETGID = 6, SETUID = 7 }; /* capabilities(7) */
	char status[4096];
	const char *line;
	uint64_t held;

	proc_text("/proc/self/status", status, sizeof status);
	line = strstr(status, "CapEff:");
	if (!line || !scan_skip(&line, 1) || !scan_number(&line, 16, &held))
		return geteuid() == 0;
	return held >> SETGID & 1 && held >> SETUID & 1;
}

void user_release(struct user *u)
{
	free(u->groups);
	free(u->name);
	free(u->home);
	free(u->shell);
	*u = (struct user){0};
}

int user_become(const struct user *u)
{
	/* The order matters: without privileges no group can be changed any more. */
	if (setgroups(u->n_groups, u->groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0)
		return -1;
	return setresuid(u->uid, u->uid, u->uid);
}
