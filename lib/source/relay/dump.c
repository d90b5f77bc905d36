/* See dump.h. */
#include "source/relay/dump.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/safe_open.h"
#include "base/text.h"
#include "base/units.h"
#include "source/relay/config.h"
#include "source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int dump_open(struct dump *d, struct source *s, const char *path, struct error *e)
{
	*d = (struct dump){.source = s, .fd = -1};
	if (strcmp(path, "-") == 0)
		return 0;
	/* What peers send is nobody else's. A FIFO without a reader is refused (ENXIO). */
	d->fd = safe_open(path, O_WRONLY | O_APPEND | O_CREAT, 0600,
			  SAFE_FIFO | SAFE_DEVICE | SAFE_OWN, "cannot write --dump to", e);
	if (d->fd >= 0)
		return 0;
	d->source = NULL;
	return -1;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* A Unix name may hold anything, and with --proxy accept the peer chooses it: it forges no line. */
static void head_add(struct buf *out, const struct source *s, const struct relayed *c, enum way way)
{
	const struct relay_config *config = s->config;
	struct address remote = relayed_remote(c);
	struct address_text peer = address_text(&remote);
	const char *target = config->targets[c->target].word;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	buf_add_text(out, "# ");
	time_add(out, &now);
	buf_printf(out, " %s %llu: ", s->rule, (unsigned long long)c->number);
	escape_word(out, peer.text, strlen(peer.text));
	buf_add_text(out, way == TO_TARGET ? " > " : " < ");
	escape_word(out, target, strlen(target));
	buf_add_char(out, '\n');
}

/* ---- writing --------------------------------------------------------------------------------- */

static void release(struct dump *d)
{
	d->source = NULL;
	fd_close(&d->fd);
	buf_free(&d->text);
}

/* Writes what it can; the rest stays. */
static void write_out(struct dump *d)
{
	ssize_t n;

	if (d->fd < 0) {
		if (d->source->host->write(d->source, d->text.data, d->text.length))
			buf_clear(&d->text);
		return;
	}
	do
		n = write(d->fd, d->text.data, d->text.length);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN) {
		log_error(d->source->rule, "--dump ends: %s", strerror(errno));
		release(d);
	} else if (n > 0) {
		buf_consume(&d->text, (size_t)n);
	}
}

void dump_add(struct dump *d, const struct relayed *c, enum way way, const void *bytes,
	      size_t length)
{
	if (d->source && d->text.length)
		write_out(d); /* the rest of what a FIFO took half of */
	if (!d->source)
		return;
	if (d->text.length) {
		d->lost += length;
		return;
	}
	if (d->lost)
		buf_printf(&d->text, "# %llu bytes are not shown: the reader is slow\n",
			   (unsigned long long)d->lost);
	head_add(&d->text, d->source, c, way);
	hex_dump(&d->text, c->bytes[way], bytes, length);
	d->lost = d->text.failed ? d->lost + length : 0;
	if (d->text.failed)
		buf_free(&d->text);
	else
		write_out(d);
}

void dump_close(struct dump *d)
{
	if (!d->source)
		return;
	if (d->text.length)
		write_out(d);
	if (d->source && (d->text.length || d->lost))
		log_warn(d->source->rule, "the end of the --dump is lost: the reader is slow");
	release(d);
}
