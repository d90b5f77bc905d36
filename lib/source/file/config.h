/* What a rule of kind file says: its options and arguments. */
#ifndef EVWATCH_SOURCE_FILE_CONFIG_H
#define EVWATCH_SOURCE_FILE_CONFIG_H

#include "source/file/batch/events.h"
#include "source/source.h"

/* Their names: bit i of enum file_event is called file_events[i]. Ends with a NULL name. */
extern const struct event_name file_events[];

struct file_config {
	struct text_list roots, match, ignore;
	bool no_recursive, one_file_system, existing, nul, follow, gitignore, fanotify, changed;
	uint64_t depth;
	int64_t poll;     /* ns; 0: what has events is not polled */
	bool never_polls; /* nothing is */
	char *paths_from;
	unsigned events; /* enum file_event */
	bool types[3];   /* --type f, d, l; none set: all */
	bool any_type;
};

extern const struct option file_options[];
void file_init(void *config);
int file_arguments(void *config, char *const *words, size_t n, struct error *e);
void file_release(void *config);
/* Is a path missing that was hardly meant as one? See source.h. */
bool file_doubtful(const void *config, bool has_command, struct error *e);
void file_describe(const void *config, struct buf *out);
/* Reads --paths-from into `listed`; blocks. Returns 0, or -1 with `e`. */
int file_read_paths(const struct file_config *c, struct text_list *listed, struct error *e);

#endif
