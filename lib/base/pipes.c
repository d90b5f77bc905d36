/* See pipes.h. */
#include "base/pipes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static struct pipe *pipe_new(void)
{
	struct pipe *p = malloc(sizeof *p);
	int fds[2];

	if (!p)
		return NULL;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(p);
		return NULL;
	}
	/* Unprivileged users may not have as much: the size it has then does. */
	fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);
	*p = (struct pipe){fds[0], fds[1], 0};
	return p;
}

static void pipe_free(struct pipe *p)
{
	close(p->read_end);
	close(p->write_end);
	free(p);
}

struct pipe *pipes_lend(struct pipes *all)
{
	return all->n > 0 ? all->kept[--all->n] : pipe_new();
}

void pipes_give_back(struct pipes *all, struct pipe *p)
{
	/* One with bytes in it is of no use to anybody else. */
	if (p && (p->held || all->n == PIPES_KEPT))
		pipe_free(p);
	else if (p)
		all->kept[all->n++] = p;
}

void pipes_close(struct pipes *all)
{
	while (all->n > 0)
		pipe_free(all->kept[--all->n]);
}
