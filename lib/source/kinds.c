/* All kinds, in the order of --help. A new kind is one line here. */
#include "source/kinds.h"

#include <string.h>

const struct source_type *const source_types[] = {
    &source_file,   &source_every,  &source_after, &source_at,    &source_cron,  &source_calendar,
    &source_signal, &source_listen, &source_relay, &source_lines, &source_probe, &source_exit,
    &source_run,    &source_ended,  &source_task,  NULL,
};

const struct source_type *source_type_find(const char *name)
{
	for (const struct source_type *const *t = source_types; *t; t++)
		if (strcmp((*t)->name, name) == 0)
			return *t;
	return NULL;
}
