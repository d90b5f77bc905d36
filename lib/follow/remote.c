/*
 * File systems whose files change behind the kernel's back.
 *
 * A kernel reports what goes through itself. What another machine writes to a network file system,
 * a host to a folder that it shares with a guest or a container, a server to what it shows by FUSE,
 * comes without a word.
 */
#include "follow/follow.h"

#include "base/array.h"

#include <stdint.h>
#include <sys/vfs.h>

/* By f_type of statfs(2), of which only 32 bits are the same on every machine. */
static const struct {
	uint32_t type;
	const char *name;
} remote[] = {
    {0x6969, "nfs"},       {0xff534d42, "cifs"}, {0xfe534d42, "smb3"},   {0x517b, "smb"},
    {0x01021997, "9p"},    {0x65735546, "fuse"}, {0x786f4256, "vboxsf"}, {0xbacbacbc, "vmhgfs"},
    {0x00c36400, "ceph"},  {0x5346414f, "afs"},  {0x73757245, "coda"},   {0x0bd00bd0, "lustre"},
    {0x7461636f, "ocfs2"}, {0x01161970, "gfs2"},
};

const char *follow_remote(const char *path)
{
	struct statfs st;

	if (statfs(path, &st) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_LENGTH(remote); i++)
		if (remote[i].type == (uint32_t)st.f_type)
			return remote[i].name;
	return NULL;
}
