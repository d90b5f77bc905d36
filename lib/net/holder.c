/*
 * See holder.h. The tables of /proc/net name the socket's inode, and /proc/PID/fd has a link for
 * each that a process holds.
 */
#include "net/holder.h"

#include "address/address.h"
#include "base/error.h"
#include "base/proc.h"
#include "base/scan.h"
#include "base/units.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_WORK (100 * NS_PER_MS)

/* A socket that is looked for. */
struct wanted {
	struct address_text path;
	char host[33]; /* as /proc/net/tcp has it; "": any */
	unsigned port, state;
	unsigned long inode; /* that was found, or 0 */
	int64_t until;       /* of work_done() */
};

/*
 * The time that this thread has worked (clock_gettime(2)): on a loaded machine a hint takes longer,
 * and does not go missing.
 */
static int64_t work_done(void)
{
	struct timespec t = {0};

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* Anybody may have thousands of processes, sockets and files: a hint is not worth a stall. */
static bool is_late(const struct wanted *w)
{
	return work_done() >= w->until;
}

/* Is this the wanted host, or all of them? An IPv4 one may stand at the end of a mapped one. */
static bool is_at_host(const struct wanted *w, const char *host)
{
	size_t length = strlen(host), end = strlen(w->host);

	return host[strspn(host, "0")] == '\0' ||
	       (length >= end && strcmp(host + length - end, w->host) == 0);
}

static bool is_at_port(const char *line, void *wanted)
{
	struct wanted *w = wanted;
	char host[sizeof w->host];
	uint64_t port, state, inode;

	if (scan_skip(&line, 1) && scan_word(&line, ":", host, sizeof host) &&
	    scan_char(&line, ':') && scan_number(&line, 16, &port) && scan_skip(&line, 1) &&
	    scan_number(&line, 16, &state) && scan_skip(&line, 5) &&
	    scan_number(&line, 10, &inode) && port == w->port && state == w->state &&
	    is_at_host(w, host))
		w->inode = inode;
	return w->inode || is_late(w);
}

/* `0000…: 00000002 00000000 00010000 0001 01 INODE PATH`; with this flag it listens. */
static bool is_at_path(const char *line, void *wanted)
{
	struct wanted *w = wanted;
	size_t length = strlen(w->path.text);
	uint64_t flags, inode;

	if (scan_skip(&line, 3) && scan_number(&line, 16, &flags) && scan_skip(&line, 2) &&
	    scan_number(&line, 10, &inode) && scan_char(&line, *w->path.text) && flags & 0x10000 &&
	    strcspn(line, "\n") == length - 1 && memcmp(line, w->path.text + 1, length - 1) == 0)
		w->inode = inode;
	return w->inode || is_late(w);
}

/* Each 4 bytes are a number in the machine's order. */
static void host_write(struct wanted *w, const struct address *a)
{
	struct ip ip = address_ip(a);
	uint32_t word;

	for (size_t at = 0; !address_is_wildcard(a) && at < ip.size; at += sizeof word) {
		memcpy(&word, ip.bytes + at, sizeof word);
		snprintf(w->host + 2 * at, 9, "%08X", word);
	}
}

static void find_inode(struct wanted *w, const struct address *a, bool datagram)
{
	static const char *const tables[2][2] = {{"/proc/net/tcp", "/proc/net/tcp6"},
						 {"/proc/net/udp", "/proc/net/udp6"}};

	w->path = address_host(a);
	host_write(w, a);
	w->port = address_port(a);
	w->state = datagram ? 0x07 : 0x0a; /* UDP: bound; TCP: listens */
	if (a->any.sa_family == AF_UNIX)
		proc_find_line("/proc/net/unix", is_at_path, w);
	for (int i = 0; i < 2 && address_is_ip(a) && !w->inode; i++)
		proc_find_line(tables[datagram][i], is_at_port, w);
}

static bool process_holds(const char *pid, const struct wanted *w)
{
	char path[64], link[64], wanted[64];
	DIR *fds;
	bool holds = false;

	snprintf(wanted, sizeof wanted, "socket:[%lu]", w->inode);
	snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
	fds = opendir(path);
	for (struct dirent *d; fds && !holds && !is_late(w) && (d = readdir(fds));) {
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

/* 0: nobody whose descriptors may be read. */
static pid_t process_of(const struct wanted *w)
{
	DIR *processes;
	pid_t pid = 0;

	if (!w->inode)
		return 0;
	if (process_holds("self", w))
		return getpid();
	processes = opendir("/proc");
	for (struct dirent *d; processes && !pid && !is_late(w) && (d = readdir(processes));)
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9' && process_holds(d->d_name, w))
			pid = (pid_t)strtol(d->d_name, NULL, 10);
	if (processes)
		closedir(processes);
	return pid;
}

int holder_hint(struct error *e, const struct address *a, bool datagram)
{
	struct wanted w = {.until = work_done() + MOST_WORK};
	char program[64];
	pid_t pid;

	find_inode(&w, a, datagram);
	pid = process_of(&w);
	if (pid == getpid())
		return error_hint(e, "%s", HOLDER_IS_US);
	if (!pid && a->any.sa_family == AF_UNIX)
		return error_hint(e, "`ss -lxp src %s` shows who holds it", address_host(a).text);
	if (!pid)
		return error_hint(e, "`ss -l%snp 'sport = :%u'` shows who holds it",
				  datagram ? "u" : "t", address_port(a));
	if (!proc_text_of(pid, "comm", program, sizeof program))
		snprintf(program, sizeof program, "?");
	program[strcspn(program, "\n")] = '\0';
	return error_hint(e, "held by pid %d (%s)", (int)pid, program);
}
