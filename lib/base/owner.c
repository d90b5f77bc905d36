/* See owner.h. */
#include "base/owner.h"

#include "base/error.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool owner_number(const char *word, unsigned *id)
{
	char *end;
	unsigned long value = strtoul(word, &end, 10);

	*id = (unsigned)value;
	return *word >= '0' && *word <= '9' && !*end && value < UINT_MAX;
}

int owner_group(const char *name, gid_t *gid, struct error *e)
{
	const struct group *group = getgrnam(name);

	if (!group && !owner_number(name, gid))
		return error_set(e, "there is no group \"%s\"", name);
	if (group)
		*gid = group->gr_gid;
	return 0;
}

static int find_user(const char *name, uid_t *uid, gid_t *gid, struct error *e)
{
	const struct passwd *user = getpwnam(name);

	if (!user && !owner_number(name, uid))
		return error_set(e, "there is no user \"%s\"", name);
	if (user) {
		*uid = user->pw_uid;
		*gid = user->pw_gid;
	}
	return 0;
}

int owner_parse(const char *word, uid_t *uid, gid_t *gid, struct error *e)
{
	int length = (int)strcspn(word, ":");
	char name[256]; /* longer ones do not exist (useradd(8)) */

	*uid = (uid_t)-1;
	*gid = (gid_t)-1;
	snprintf(name, sizeof name, "%.*s", length, word);
	if (length && find_user(name, uid, gid, e) < 0)
		return -1;
	return word[length] && word[length + 1] ? owner_group(word + length + 1, gid, e) : 0;
}
