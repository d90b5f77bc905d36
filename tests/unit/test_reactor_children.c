/* lib/reactor: the end of each child is told once, whoever reaps, and nobody else's is stolen. */
#include "reactor_suite.h"

#include "reactor/linux.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct child {
	struct child_watcher watcher;
	int status, calls;
	bool is_freed;
	struct probe probe; /* something else that is ready */
	bool descriptor_first;
};

static pid_t last_sender;

static void on_child(struct reactor *r, struct child_watcher *w, int status)
{
	struct child *c = CONTAINER_OF(w, struct child, watcher);

	(void)r;
	c->calls++;
	c->status = status;
	if (c->is_freed)
		free(c);
}

static pid_t spawn(int status)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(status);
	return pid;
}

/* A child that ends when it is told to, by the other end of a pipe. */
static pid_t spawn_waiting(int fds[2])
{
	char byte;
	pid_t pid;

	pipe_open(fds);
	pid = fork();
	if (pid > 0)
		return pid;
	close(fds[1]);
	while (read(fds[0], &byte, 1) < 0)
		;
	_exit(7);
}

static void start_child(struct reactor *r, struct child *c, pid_t pid)
{
	*c = (struct child){0};
	child_init(&c->watcher, pid, on_child);
	if (child_start(r, &c->watcher) < 0)
		bail_out("child_start");
}

/* Running ones, or zombies. */
static bool has_children(void)
{
	siginfo_t si;

	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Children end by SIGCHLD there where they cannot by a pidfd. */
static struct reactor *reactor_of_children(void)
{
	struct reactor *r = reactor_here();

	if (!pidfds_work())
		reactor_reap_orphans(r);
	return r;
}

static void test_many(bool adopt)
{
	struct reactor *r = reactor_of_children();
	struct child children[20];
	int wrong = 0;

	if (adopt)
		reactor_reap_orphans(r);
	for (int i = 0; i < 20; i++)
		start_child(r, &children[i], spawn(i));
	reactor_run(r);
	for (int i = 0; i < 20; i++)
		wrong += children[i].calls != 1 || WEXITSTATUS(children[i].status) != i;
	EQUAL(wrong, 0, "every child's end is told once, with its status");
	HOLDS(!has_children(), "no zombie is left");
	reactor_free(r);
}

static void test_with_pidfds(void)
{
	test_many(false);
}

static void test_with_sigchld(void)
{
	test_many(true);
}

static int told_of(const struct child *children, int n)
{
	int told = 0;

	for (int i = 0; i < n; i++)
		told += children[i].calls == 1;
	return told;
}

/* More than one turn tells, all of them gone before the first. */
static void test_at_once(void)
{
	enum { CHILDREN = 150 };
	static struct child children[CHILDREN];
	static struct reactor *r; /* the children's copies are seen by valgrind */
	siginfo_t si;
	int told = 0, most = 0;

	r = reactor_here();
	reactor_reap_orphans(r);
	for (int i = 0; i < CHILDREN; i++)
		start_child(r, &children[i], spawn(0));
	for (int i = 0; i < CHILDREN; i++)
		waitid(P_PID, (id_t)children[i].watcher.pid, &si, WEXITED | WNOWAIT);
	for (int i = 0, before = 0; i < 1000 && told < CHILDREN; i++, before = told) {
		turns(r, 1);
		told = told_of(children, CHILDREN);
		most = told - before > most ? told - before : most;
	}
	EQUAL(told, CHILDREN, "150 that ended at once are told");
	HOLDS(most > 1 && most < CHILDREN,
	      "some a turn, but not all of them: the rest has its turns");
	reactor_free(r);
}

static void test_signalled(void)
{
	struct reactor *r = reactor_of_children();
	struct child c;
	int fds[2];
	pid_t pid = spawn_waiting(fds);

	start_child(r, &c, pid);
	turns(r, 2);
	EQUAL(c.calls, 0, "a child that runs has not ended");
	kill(pid, SIGTERM);
	reactor_run(r);
	HOLDS(WIFSIGNALED(c.status) && WTERMSIG(c.status) == SIGTERM, "a signal's end is told");
	reactor_free(r);
	close_both(fds);
}

static void check_stopped(void)
{
	struct reactor *r = reactor_here();
	struct child c;
	int fds[2], status;
	pid_t pid = spawn_waiting(fds);

	start_child(r, &c, pid);
	child_stop(r, &c.watcher);
	close(fds[1]);
	reactor_run(r);
	EQUAL(c.calls, 0, "the end of a child that is watched no more is not told");
	HOLDS(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7, "nor is it reaped");
	reactor_free(r);
	close(fds[0]);
}

static void test_freed_inside(void)
{
	struct reactor *r = reactor_of_children();
	struct child *c = malloc(sizeof *c);

	start_child(r, c, spawn(0));
	c->is_freed = true;
	reactor_run(r);
	HOLDS(true, "a watcher may be freed in its callback, and the loop ends");
	reactor_free(r);
}

static void check_of_others(void)
{
	struct reactor *r = reactor_here();
	struct child mine;
	pid_t other = spawn(5);
	int status;

	start_child(r, &mine, spawn(4));
	reactor_run(r);
	EQUAL(WEXITSTATUS(mine.status), 4, "the watched child's end is told");
	HOLDS(waitpid(other, &status, 0) == other && WEXITSTATUS(status) == 5,
	      "one that nobody watches is left to who waits for it");
	start_child(r, &mine, spawn(6));
	waitpid(mine.watcher.pid, NULL, 0);
	reactor_run(r);
	HOLDS(mine.calls == 1 && mine.status == 0, "one that somebody else reaped is told once");
	reactor_free(r);
}

static void test_orphans(void)
{
	struct reactor *r = reactor_here();
	struct child c;
	pid_t pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	reactor_reap_orphans(r);
	pid = fork();
	if (pid == 0) {
		spawn(0); /* adopted when its parent has gone */
		_exit(0);
	}
	start_child(r, &c, pid);
	reactor_run(r);
	for (int i = 0; i < 1000 && has_children(); i++)
		reactor_turn(r, 10000000);
	EQUAL(c.calls, 1, "beside orphans a watched child is told");
	HOLDS(!has_children(), "and no orphan is left");
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	reactor_free(r);
}

static bool sigchld_is_blocked(void)
{
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	return sigismember(&set, SIGCHLD);
}

static int errno_of_signalfd(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	fd = linux_signalfd(&set);
	return fd < 0 ? errno : close(fd);
}

static void on_sigchld(struct reactor *r, struct signal_watcher *w, const struct signal_info *info)
{
	(void)r;
	(void)w;
	last_sender = info->pid;
}

static void test_sigchld_beside(void)
{
	struct reactor *r = reactor_here(), *other = reactor_here();
	struct signal_watcher watcher, of_other;
	struct child c;
	pid_t pid;
	int lowest;

	last_sender = 0;
	reactor_reap_orphans(r);
	lowest = dup(0);
	close(lowest);
	reactor_reap_orphans(r);
	EQUAL(dup(0), lowest,
	      "children are reaped by one descriptor, however often it is asked for");
	close(lowest);
	turns(r, 3);
	signal_init(&watcher, SIGCHLD, on_sigchld);
	signal_start(r, &watcher);
	signal_init(&of_other, SIGCHLD, on_sigchld);
	signal_start(other, &of_other);
	pid = spawn(0);
	start_child(r, &c, pid);
	while (!c.calls || !last_sender)
		reactor_turn(r, -1);
	EQUAL(last_sender, pid, "who watches SIGCHLD is told it, though all children are reaped");
	last_sender = 0;
	turns(other, 2);
	EQUAL(last_sender, pid, "in another loop of the process, too");
	HOLDS(sigchld_is_blocked() || errno_of_signalfd() == ENOSYS,
	      "by another way than its handler, where there is one");
	reactor_free(other);
	reactor_free(r);
	HOLDS(!sigchld_is_blocked(), "which ends with the reactor");
}

static void note_child(struct reactor *r, struct probe *p)
{
	struct child *c = CONTAINER_OF(p, struct child, probe);

	(void)r;
	c->descriptor_first |= !c->calls;
}

/* A command's end, before what else is ready in the same turn. */
static void test_first(void)
{
	struct reactor *r = reactor_here();
	struct child c = {0};
	siginfo_t si;
	int fds[2];

	stream_open(fds);
	reactor_reap_orphans(r);
	turns(r, 3);
	start_child(r, &c, spawn(0));
	waitid(P_PID, (id_t)c.watcher.pid, &si, WEXITED | WNOWAIT);
	probe_start(r, &c.probe, fds[0], IO_WRITE);
	c.probe.act = note_child;
	for (int i = 0; i < 50 && !c.calls; i++) {
		c.descriptor_first = false; /* in this turn */
		turns(r, 1);
	}
	HOLDS(c.calls == 1 && !c.descriptor_first, "an end is told before what else is ready");
	reactor_free(r);
	close_both(fds);
}

static void log_child(struct reactor *r, struct child_watcher *w, int status)
{
	struct child *c = CONTAINER_OF(w, struct child, watcher);

	on_child(r, w, status);
	strncat(c->probe.log, &c->probe.letter, 1);
}

static void start_logged(struct reactor *r, struct child *c, char *log, char letter,
			 unsigned priority)
{
	*c = (struct child){.probe = {.log = log, .letter = letter}};
	child_init(&c->watcher, spawn(0), log_child);
	c->watcher.priority = (uint8_t)priority;
	if (child_start(r, &c->watcher) < 0)
		bail_out("child_start");
}

/* Both have ended before the loop looks; the descriptor is always ready. */
static void check_priority(bool adopt)
{
	struct reactor *r = reactor_of_children();
	struct child first, last;
	struct probe p;
	char log[8] = "";
	siginfo_t si;
	int fds[2];

	stream_open(fds);
	if (adopt)
		reactor_reap_orphans(r);
	start_logged(r, &last, log, 'l', PRIORITY_LAST);
	start_logged(r, &first, log, 'f', PRIORITY_FIRST);
	waitid(P_PID, (id_t)last.watcher.pid, &si, WEXITED | WNOWAIT);
	waitid(P_PID, (id_t)first.watcher.pid, &si, WEXITED | WNOWAIT);
	probe_start(r, &p, fds[0], IO_WRITE | IO_ONCE);
	p.log = log;
	p.letter = 'd';
	turns(r, 4);
	HOLDS(strchr(log, 'f') < strchr(log, 'l'), "an end is told by its watcher's priority");
	EQUAL(strlen(log), 3, "each once, and what else is ready");
	reactor_free(r);
	close_both(fds);
}

static void test_priority(void)
{
	check_priority(false);
	check_priority(true);
}

/* It has ended, and waits in its queue, when another callback stops it, or the reactor is freed. */
static void stop_reactor(struct reactor *r, struct probe *p)
{
	(void)p;
	reactor_stop(r);
}

static void test_stopped_in_its_queue(void)
{
	struct reactor *r = reactor_of_children();
	struct child freed, stopped;
	struct probe p;
	char log[8] = "";
	siginfo_t si;
	int fds[2];

	stream_open(fds);
	reactor_reap_orphans(r);
	start_logged(r, &freed, log, 'f', PRIORITY_LAST);
	start_logged(r, &stopped, log, 's', PRIORITY_LAST);
	waitid(P_PID, (id_t)freed.watcher.pid, &si, WEXITED | WNOWAIT);
	waitid(P_PID, (id_t)stopped.watcher.pid, &si, WEXITED | WNOWAIT);
	probe_start(r, &p, fds[0], IO_WRITE);
	p.act = stop_reactor;
	while (has_children() && !*log)
		reactor_run(r);
	child_stop(r, &stopped.watcher);
	reactor_free(r);
	HOLDS(!*log && !freed.watcher.started,
	      "what is stopped or freed before its turn is not told");
	close_both(fds);
}

/* Nothing looks at the processes: any number will do. */
static void test_many_left(void)
{
	enum { CHILDREN = 1000 };
	static struct child children[CHILDREN];
	struct reactor *r = reactor_here();
	int left = 0;

	reactor_reap_orphans(r);
	for (int i = 0; i < CHILDREN; i++)
		start_child(r, &children[i], 1000000000 + i * i);
	reactor_free(r);
	for (int i = 0; i < CHILDREN; i++)
		left += children[i].watcher.started;
	EQUAL(left, 0, "the end of a reactor stops all that are watched");
}

static void check_nobody(void)
{
	struct reactor *r = reactor_here();
	struct child c = {0};
	pid_t pid = spawn(0);

	waitpid(pid, NULL, 0);
	child_init(&c.watcher, pid, on_child);
	HOLDS(child_start(r, &c.watcher) == -1 && errno == ESRCH,
	      "a child that is gone is refused");
	reactor_run(r);
	HOLDS(true, "and does not keep the loop running");
	reactor_free(r);
}

static void test_left_alone(void)
{
	if (!pidfds_work()) {
		SKIP("there are no pidfds", "%s: children that are not watched are left alone",
		     backend);
		return;
	}
	check_stopped();
	check_of_others();
	check_nobody();
}

/* What was not asked for is not undone. */
static void test_not_started(void)
{
	struct reactor *r = reactor_here();
	struct child c = {0};
	sigset_t set, after;

	child_init(&c.watcher, getpid(), on_child);
	child_stop(r, &c.watcher);
	reactor_run(r); /* hangs when it was counted */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	reactor_free(r);
	sigprocmask(SIG_UNBLOCK, &set, &after);
	HOLDS(sigismember(&after, SIGCHLD), "a loop that reaps nobody leaves SIGCHLD as it is");
}

static const struct conformance cases[] = {
    {"by pidfd", test_with_pidfds},
    {"by SIGCHLD", test_with_sigchld},
    {"at once", test_at_once},
    {"signalled", test_signalled},
    {"freed in its callback", test_freed_inside},
    {"orphans", test_orphans},
    {"SIGCHLD beside", test_sigchld_beside},
    {"first", test_first},
    {"priority", test_priority},
    {"stopped in its queue", test_stopped_in_its_queue},
    {"left", test_many_left},
    {"left alone", test_left_alone},
    {"not started", test_not_started},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
