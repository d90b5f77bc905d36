/*
 * File systems whose files change behind the kernel's back.
 *
 * A kernel tells what goes through itself. What another machine writes to a network file system, a
 * host to a folder that it shares with a guest or a container, a server to what it shows by FUSE,
 * comes without a word, and whoever watches waits for ever: that is said at the start, with the
 * cure.
 */
#include "base/log.h"
#include "follow/follow.h"
#include "source/file/file.h"

void remote_tell(const struct file_source *s)
{
	const struct file_config *c = s->base.config;

	LIST_EACH(at, after, &s->roots)
	{
		const struct root *r = CONTAINER_OF(at, struct root, link);
		const char *name = c->poll ? NULL : follow_remote(r->path);

		if (name)
			log_warn(s->base.rule,
				 "%s is on a file system of type %s: what is changed there from "
				 "elsewhere "
				 "is not told by the kernel; --poll 2s sees it",
				 r->path, name);
	}
}
