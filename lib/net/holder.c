/*
 * See holder.h. The tables of /proc/net name the socket's inode, and /proc/PID/fd has a link for
 * each that a process holds.
 */
#include "net/holder.h"

#include "base/error.h"
#include "base/proc.h"
#include "base/units.h"
#include "net/endpoint.h"
#include "reactor/reactor.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE (100 * NS_PER_MS)

/* Anybody may have thousands of processes, sockets and files: a hint is not worth a stall. */
static bool is_late(int64_t until)
{
	return clock_read(CLOCK_OF_LOOP) >= until;
}

/* The inode of a socket at this port that listens (state 0A), or is bound (UDP: 07). 0: none. */
static unsigned long inode_in(const char *table, unsigned port, unsigned state, int64_t until)
{
	FILE *f = fopen(table, "re");
	char line[512];
	unsigned long found = 0;

	while (f && !found && !is_late(until) && fgets(line, sizeof line, f)) {
		unsigned at_port, at_state;
		unsigned long inode;

		if (sscanf(line, "%*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %lu", &at_port,
			   &at_state, &inode) == 3 &&
		    at_port == port && at_state == state)
			found = inode;
	}
	if (f)
		fclose(f);
	return found;
}

/* `0000…: 00000002 00000000 00010000 0001 01 INODE PATH`; state 01: it listens, or is not connected
 */
static unsigned long inode_of_unix(const char *name, int64_t until)
{
	FILE *f = fopen("/proc/net/unix", "re");
	char line[512];
	unsigned long found = 0;

	while (f && !found && !is_late(until) && fgets(line, sizeof line, f)) {
		char path[256];
		unsigned long inode;
		unsigned flags;

		if (sscanf(line, "%*s %*s %*s %x %*s %*s %lu %255[^\n]", &flags, &inode, path) ==
			3 &&
		    flags & 0x10000 && strcmp(path, name) == 0)
			found = inode;
	}
	if (f)
		fclose(f);
	return found;
}

static unsigned long inode_of(const struct address *a, bool datagram, int64_t until)
{
	static const char *const tables[2][2] = {{"/proc/net/tcp", "/proc/net/tcp6"},
						 {"/proc/net/udp", "/proc/net/udp6"}};
	unsigned port, state = datagram ? 7 : 10;
	unsigned long found;
	char name[sizeof a->un.sun_path + 1];

	if (a->any.sa_family == AF_UNIX) {
		memcpy(name, a->un.sun_path, sizeof a->un.sun_path);
		name[sizeof a->un.sun_path] = '\0';
		if (!*name)
			*name = '@';
		return inode_of_unix(name, until);
	}
	if (!address_is_ip(a))
		return 0;
	port = address_port(a);
	found = inode_in(tables[datagram][0], port, state, until);
	return found ? found : inode_in(tables[datagram][1], port, state, until);
}

static bool process_holds(const char *pid, const char *wanted, int64_t until)
{
	char path[64], link[64];
	DIR *fds;
	bool holds = false;

	snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
	fds = opendir(path);
	for (struct dirent *d; fds && !holds && !is_late(until) && (d = readdir(fds));) {
		ssize_t n = readlinkat(dirfd(fds), d->d_name, link, sizeof link - 1);

		if (n > 0) {
			link[n] = '\0';
			holds = strcmp(link, wanted) == 0;
		}
	}
	if (fds)
		closedir(fds);
	return holds;
}

static void name_program(struct holder *h)
{
	if (!proc_text_of(h->pid, "comm", h->program, sizeof h->program))
		snprintf(h->program, sizeof h->program, "?");
	h->program[strcspn(h->program, "\n")] = '\0';
}

bool holder_find(const struct address *a, bool datagram, struct holder *h)
{
	int64_t until = clock_read(CLOCK_OF_LOOP) + PATIENCE;
	unsigned long inode = inode_of(a, datagram, until);
	char wanted[64];
	DIR *processes = inode ? opendir("/proc") : NULL;

	h->pid = 0;
	snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
	for (struct dirent *d; processes && !h->pid && !is_late(until) && (d = readdir(processes));)
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9' &&
		    process_holds(d->d_name, wanted, until))
			h->pid = (pid_t)strtol(d->d_name, NULL, 10);
	if (processes)
		closedir(processes);
	if (h->pid)
		name_program(h);
	return h->pid != 0;
}

int holder_hint(struct error *e, const struct holder *h)
{
	if (h->pid == getpid())
		return error_hint(e, "another rule of this evwatch listens there");
	return error_hint(e, "held by pid %d (%s)", (int)h->pid, h->program);
}
