/* See kinds.h. */
#include "source/kinds.h"

#include <string.h>

#define ADDRESS(name) &source_##name,
const struct source_type *const source_types[] = {SOURCE_KINDS(ADDRESS) NULL};

const struct source_type *source_type_find(const char *name)
{
	for (const struct source_type *const *t = source_types; *t; t++)
		if (strcmp((*t)->name, name) == 0)
			return *t;
	return NULL;
}
