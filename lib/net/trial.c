/* See trial.h. */
#include "net/trial.h"

#include "base/array.h"
#include "base/error.h"
#include "base/path.h"
#include "net/holder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int keep(struct trial *t, struct listener *l)
{
	if (ARRAY_GROW(t->opened, t->capacity, t->count + 1) == 0)
		t->opened[t->count++] = *l;
	else
		listener_close(l);
	return 0;
}

/* Does a rule before want the same word? */
static int keep_word(struct trial *t, const char *word, struct error *e)
{
	for (size_t i = 0; i < t->words.count; i++)
		if (strcmp(t->words.items[i], word) == 0) {
			errno = EADDRINUSE;
			error_errno(e, "cannot listen on %s", word);
			return error_hint(e, "%s", HOLDER_IS_US);
		}
	text_list_add(&t->words, word);
	return 0;
}

static int check_directory(const char *path, struct error *e)
{
	char *directory = path_above(path);
	int result = 0;

	if (!directory || access(directory, W_OK | X_OK) < 0)
		result = error_errno(e, "cannot listen on unix:%s", path);
	free(directory);
	return result;
}

int trial_add(struct trial *t, const struct endpoint *ep, const struct listen_config *c,
	      struct error *e)
{
	struct listener l;

	switch (ep->kind) {
	case ENDPOINT_TCP:
	case ENDPOINT_UDP:
		if (listener_open(&l, ep, c, e) == 0)
			return keep(t, &l);
		if (!strstr(e->hint, "(evwatch"))
			return -1;
		return c->reuseport ? 0 : keep_word(t, ep->word, e);
	case ENDPOINT_UNIX:
		if (*ep->path != '@' && check_directory(ep->path, e) < 0)
			return -1;
		return keep_word(t, ep->word, e);
	default:
		return 0; /* what is passed on to evwatch is not passed on to check */
	}
}

void trial_end(struct trial *t)
{
	while (t->count > 0)
		listener_close(&t->opened[--t->count]);
	free(t->opened);
	text_list_free(&t->words);
}
