/*
 * The limits of inotify: which sysctl, its value, and the cure. A user namespace has limits of its
 * own below /proc/sys/user (namespaces(7)); the lower one is what was met.
 */
#include "inotify/inner.h"

#include "base/error.h"
#include "base/log.h"
#include "base/proc.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct limit {
	const char *name; /* of the sysctl */
	long value;       /* -1: it cannot be read */
};

static long value_of(const char *path)
{
	char text[32];

	return proc_text(path, text, sizeof text) ? strtol(text, NULL, 10) : -1;
}

static struct limit limit_of_watches(void)
{
	struct limit all = {"fs.inotify.max_user_watches",
			    value_of("/proc/sys/fs/inotify/max_user_watches")};
	long own = value_of("/proc/sys/user/max_inotify_watches");

	return own >= 0 && own < all.value ? (struct limit){"user.max_inotify_watches", own} : all;
}

static struct limit limit_of_instances(void)
{
	struct limit all = {"fs.inotify.max_user_instances",
			    value_of("/proc/sys/fs/inotify/max_user_instances")};
	long own = value_of("/proc/sys/user/max_inotify_instances");

	return own >= 0 && own < all.value ? (struct limit){"user.max_inotify_instances", own}
					   : all;
}

/* inotify_init(2) has one word for two limits; the file can be opened only if it is not the limit
 * of descriptors. */
int limits_error(struct error *e)
{
	struct limit limit;

	error_errno(e, "cannot watch files");
	if (errno != EMFILE)
		return -1;
	limit = limit_of_instances();
	if (limit.value < 0)
		return error_hint(e, "see ulimit -n");
	error_set(e, "cannot watch files: the limit of inotify instances of this user is reached");
	return error_hint(e, "%s is %ld: sysctl %s=%ld", limit.name, limit.value, limit.name,
			  limit.value * 2 > 128 ? limit.value * 2 : 128);
}

void limits_warn_instances(struct inotify_set *set)
{
	struct limit limit = limit_of_instances();

	if (set->logged_instances || limit.value < 0)
		return;
	set->logged_instances = true;
	log_warn(NULL,
		 "the limit of inotify instances of this user is reached: %s is %ld; rules share a "
		 "queue, and a storm in one tree may delay another's events: sysctl %s=%ld",
		 limit.name, limit.value, limit.name,
		 limit.value * 2 > 128 ? limit.value * 2 : 128);
}

void limits_warn_queue(struct inotify_set *set)
{
	long value = value_of("/proc/sys/fs/inotify/max_queued_events");

	if (set->logged_queue)
		return;
	set->logged_queue = true;
	log_warn(NULL,
		 "the kernel dropped events of files, and evwatch looks for what they were: "
		 "fs.inotify.max_queued_events is %ld: sysctl fs.inotify.max_queued_events=%ld",
		 value, (value > 0 ? value : 4096) * 4);
}

/* The limit is the user's: watches of other processes count, too. */
void inotify_limit_warn(struct inotify_user *u, const char *path, size_t more)
{
	struct limit limit = limit_of_watches();
	size_t have = inotify_watches(u);
	long need = limit.value + (long)(more + more / 4);

	if (u->on->set->logged_watches)
		return;
	u->on->set->logged_watches = true;
	log_warn(u->rule,
		 "the limit of inotify watches is reached at %s: %s is %ld; evwatch has %zu "
		 "watches here and lacks %zu more: sysctl %s=%ld",
		 path, limit.name, limit.value, have, more, limit.name, need | 1023);
}
