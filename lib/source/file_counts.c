/* See file_counts.h. */
#include "source/file_counts.h"

#include "base/buf.h"

void file_counts_add(struct buf *out, const struct file_counts *c)
{
	buf_printf(out, ",\"files\":{\"directories\":%zu,\"watches\":%zu,\"overflows\":%llu}",
		   c->directories, c->watches, (unsigned long long)c->overflows);
}
