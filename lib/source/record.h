/*
 * What a rule with --catch-up remembers in a directory: a file named after the rule, and a lock, so
 * that no two at work do everything twice. The lock is a file of its own, since a record that is
 * replaced by rename would leave a lock on the old file behind.
 */
#ifndef EVWATCH_SOURCE_RECORD_H
#define EVWATCH_SOURCE_RECORD_H

struct error;
struct source;

/* DIRECTORY/RULE and the ending. Owned; NULL with ENOMEM. */
char *record_path(const char *directory, const char *rule, const char *ending);

/*
 * Makes the directory where it is missing, and takes the lock, or shares it with the rule that this
 * one replaces at a reload. Returns its descriptor, or -1 with `e`; the last close gives it back.
 */
int record_lock(struct source *s, const char *directory, struct error *e);

#endif
