/*
 * Which paths count: --match, --ignore, --type, --gitignore, and what evwatch writes itself.
 *
 * A pattern with a slash in it is held against the path as it is reported and against what follows
 * the root; one without is held against the last component. `*` stops at a slash, `**` does not.
 */
#ifndef EVWATCH_SOURCE_FILE_CHOOSE_FILTER_H
#define EVWATCH_SOURCE_FILE_CHOOSE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct gitignore;
struct text_list;

/* A file that this process writes to. */
struct own_output {
	dev_t device;
	ino_t inode;
	char name[256]; /* its last component */
};

struct filter {
	/* Set by the owner, and lent. */
	const char *rule; /* for messages */
	const struct text_list *match, *ignore;
	const bool *types; /* --type f, d, l; NULL: all */
	bool git;          /* --gitignore */

	struct gitignore *rules;      /* private from here on; NULL: to be read */
	bool is_open;                 /* everything counts */
	struct own_output outputs[2]; /* standard output and error */
	size_t n_outputs;
	char *ready_folder, *ready_base; /* of --ready-file: where it really is; owned */
};

/* A path below a root, or the root itself. */
struct candidate {
	const char *root, *path; /* as they are reported */
	const char *relative;    /* the path behind the root; "": it is the root */
	char type;               /* as in struct look */
};

/* Remembers what standard output and error are, and where the ready file (NULL: none) is. */
void filter_open(struct filter *f, const char *ready_file);
void filter_close(struct filter *f);

/* Is it to be reported? */
bool filter_counts(struct filter *f, const struct candidate *c);
/* Do the patterns let a directory be entered? */
bool filter_admits(struct filter *f, const struct candidate *c);
/* Is this standard output or error (without a path: may it be, by its name)? What is written there
 * is not reported: that would be written there, too, for ever. */
bool filter_is_output(const struct filter *f, const char *name, const char *path);

/* May a directory be entered or not by where it is? */
bool filter_minds_place(const struct filter *f);
/* Something happened to a file of this name. True: it has rules of git, which are forgotten. */
bool filter_notices(struct filter *f, const char *name);
/* The files with rules of git outside of the trees, as far as they are known; NULL ends. */
const char *filter_outside(const struct filter *f, size_t i);
/* True: one of them changed, and all rules are forgotten. */
bool filter_looks_outside(struct filter *f);

#endif
