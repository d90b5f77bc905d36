/* The kinds that there are: one object a kind, each defined in its own file or folder. */
#ifndef EVWATCH_SOURCE_KINDS_H
#define EVWATCH_SOURCE_KINDS_H

#include "source/source.h"

/* One line for each, in the order of --help. A new kind is a file that defines source_NAME, and its
 * line here. */
#define SOURCE_KINDS(X)                                                                            \
	X(file)                                                                                    \
	X(every)                                                                                   \
	X(after)                                                                                   \
	X(at)                                                                                      \
	X(cron)                                                                                    \
	X(calendar)                                                                                \
	X(signal)                                                                                  \
	X(listen)                                                                                  \
	X(relay)                                                                                   \
	X(lines)                                                                                   \
	X(probe)                                                                                   \
	X(exit)                                                                                    \
	X(run)                                                                                     \
	X(ended)                                                                                   \
	X(task)

#define DECLARE(name) extern const struct source_type source_##name;
SOURCE_KINDS(DECLARE)
#undef DECLARE

#endif
