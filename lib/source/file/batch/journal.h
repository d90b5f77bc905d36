/*
 * The journal of a batch: for each name that was touched what it was before the batch, what it is
 * now, and what was done to it between. The net effect (net.h) is what is handed on.
 *
 * A name is a directory and a name in it, not a path: when a directory moves, the names in it stay
 * the same names. A *thing* is what stands at a name; when it is renamed it keeps what was done to
 * it, and the name that it had before the batch. So moves, exchanges and chains of renames need no
 * case of their own: the thing is at another name than it was.
 *
 * Directories belong to somebody else (the model), who is asked by struct journal_folders. One that
 * is named here is held, and so can still be asked for its last name when it is gone.
 */
#ifndef EVWATCH_SOURCE_FILE_BATCH_JOURNAL_H
#define EVWATCH_SOURCE_FILE_BATCH_JOURNAL_H

#include "base/list.h"
#include "base/table.h"
#include "source/file/batch/events.h"

#include <stdint.h>

struct node;

/* An entry of a directory, for struct journal_folders. */
struct journal_entry {
	const char *name;
	char type;
	struct node *self; /* NULL: it is no directory, or one whose content is not known */
};

struct journal_folders {
	/* NULL: the names in it are whole paths. */
	struct node *(*parent)(const struct node *d);
	const char *(*name)(const struct node *d);
	bool (*is_gone)(const struct node *d); /* it has no name any more, but that it had last */
	void (*hold)(struct node *d);
	void (*release)(struct node *d);
	/* Walks what is known to be in it, from *at = 0. False: that was all. */
	bool (*next)(const struct node *d, uint32_t *at, struct journal_entry *entry);
};

struct record;

/* Of something that is at another path than it was: is it reported as moved? */
enum fate {
	FATE_NONE, /* it is not */
	FATE_OPEN,
	FATE_ASKED, /* what it waits for is done first */
	FATE_MOVES, /* that was done */
	FATE_SPLIT, /* its two ends are reported by themselves; or it is new */
};

/* What stands at a name. */
struct thing {
	struct link link; /* of all things of the journal */
	char type;
	struct node *self;     /* held; of a directory whose content is known */
	struct record *origin; /* the name that it had before the batch; NULL: it is new */
	unsigned seen;         /* enum file_event: what was done to it */
	bool open;             /* it is being written: its close is waited for */
	struct link of_open;   /* then of `fresh` or `asked` of the journal */
	struct record *at;     /* the name that it has now; NULL: it is gone, or in hand */
	int64_t heard;         /* loop time: when it came, or was written last */
	int64_t ask_at;        /* the owner's: when to ask whether anybody still writes it */
	bool read;             /* the owner's, since it was written last: it holds */
	uint64_t content;      /* this (contents.h); 0: that is not known */
	unsigned writes;       /* how often it was written: to see that while it is read */
	unsigned refs;         /* of records, and of who has it in hand or reads it */

	/* While a net effect is made; of a directory all but the first: */
	enum fate fate;
	bool paired;                /* it is known what it is */
	struct thing *over, *under; /* in whose place it is, and what is in its own; or NULL */
	struct link names;          /* of struct record: what was touched in it */
};

struct record {
	struct node *node;       /* held */
	const char *name;        /* in it */
	struct link link;        /* in the order of the last event */
	struct link of_age;      /* in that of `since` */
	struct thing *was, *now; /* NULL: nothing */
	unsigned notices;        /* FILE_NOTICES */
	unsigned flickered;      /* what came and went between: what was done to it */
	char flicker_type;       /* and what it was; '?': not known */
	bool in_run;             /* all of it came while the rule's own command ran */
	bool implied;            /* nothing happened to it but to a directory above it */
	int64_t since;           /* loop time of the first event */
	int by;                  /* the process that did the last of it; 0: not known */

	/* While a net effect is made: */
	bool left;             /* what was is in its place no more, and that was reported */
	bool coming, told;     /* what is now is about to be reported, and was */
	struct link of_folder; /* of `names` */

	char text[]; /* of the name */
};

struct journal {
	const struct journal_folders *folders;
	struct table by_name;      /* of struct record */
	struct table by_folder;    /* of struct thing: that of a directory */
	struct link order, by_age; /* of struct record */
	struct link things;
	struct link fresh, asked; /* what is open; each in the order of `ask_at` */
	size_t count;
	int64_t now;      /* loop time of what is added next; set by the owner */
	int by;           /* the process that does what is added next; set by the owner */
	int64_t last;     /* of the last event */
	bool running;     /* the rule's own command runs; set by the owner */
	bool lost_memory; /* a change could not be kept: the owner says so */
};

void journal_init(struct journal *j, const struct journal_folders *folders);
void journal_free(struct journal *j);

/* How something came to its name: that says whether a close is to come. */
enum arrival {
	ARRIVED_MADE,  /* it was created: whoever did that may still write */
	ARRIVED_WHOLE, /* it was renamed from elsewhere */
	ARRIVED_FOUND, /* nobody said: another look found it */
	ARRIVED_EARLY, /* it was there at the start */
};

/* Something came to a free name. */
void journal_came(struct journal *j, struct node *d, const char *name, char type,
		  enum arrival arrival);
/* What stood there is gone; `self` is the directory's own, or NULL. */
void journal_gone(struct journal *j, struct node *d, const char *name, char type,
		  struct node *self);
/* It is renamed: what is taken is then put to a free name, or released. A directory of which all
 * was reported as gone, as it was not entered for a while, is another one from then on. NULL with
 * ENOMEM, which put and release take. */
struct thing *journal_take(struct journal *j, struct node *d, const char *name, char type,
			   struct node *self);
void journal_put(struct journal *j, struct node *d, const char *name, struct thing *t);
/* It came and went unseen; `events` were done to it. */
void journal_flickered(struct journal *j, struct node *d, const char *name, unsigned events);
/*
 * Something was done to what stands there: bits of enum file_event. FILE_MODIFY opens a file, and
 * FILE_CLOSE_WRITE closes it. FILE_NOTICES are of the name: nothing may stand there (type 0).
 */
void journal_active(struct journal *j, struct node *d, const char *name, char type,
		    unsigned events);

/* What stands at a name (a new thing), and the record of a name at which something of this type
 * stood before (0: nothing), and stands; for rejoin.c. NULL with ENOMEM. */
struct thing *journal_thing_new(struct journal *j, char type, struct node *self,
				struct record *origin);
struct record *journal_record_new(struct journal *j, struct node *d, const char *name, char type,
				  struct node *self);

struct record *journal_find(const struct journal *j, const struct node *d, const char *name);
/* The thing of a directory, if it was touched in this batch. */
struct thing *journal_thing_of(const struct journal *j, const struct node *self);
/* A directory that was touched as a name only is known by its own from now on. */
void journal_adopt(struct journal *j, struct node *self);
/* What was handed on is done: the record goes, or with `keeps` stays for what is still written
 * there, as a part of the next batch. */
void journal_settle(struct journal *j, struct record *r, bool keeps);
/* It was reported that what was there is gone: what is there, and waits, is new. */
void journal_left(struct journal *j, struct record *r);
/* It stays until it is released, whatever becomes of its names. */
struct thing *journal_hold(struct thing *t);
void journal_release(struct journal *j, struct thing *t);
/* A record for a name that nothing happened to, but that is to be reported. NULL with ENOMEM. */
struct record *journal_imply(struct journal *j, struct node *d, const struct journal_entry *e);

#endif
