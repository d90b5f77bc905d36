/*
 * What is known of the tree.
 *
 * The kernel's queue is a history; by the time it is read, paths mean other things. So nobody but a
 * look writes the model: hints say where to look, what is there is held against what was known, and
 * the difference is what happened.
 *
 *	model_hint, model_lost     where to look
 *	model_drained              the kernel's queue is empty: now
 *	model_work                 looks, about 2 ms a turn, and reports
 *
 * Names are looked at in rounds. A round looks at each name that was hinted at, through the opened
 * directory, which must be the one that is expected at its path; where it is not, its own name is
 * looked at first, and its entries in the next round. When all is looked at, what left one name and
 * is now at another is moved, what is gone is reported, then what came. Directories that came are
 * entered when no round is under way: opened, watched, read.
 *
 * Reports are made in this order, and a path of the model is right whenever one is made: who
 * replays them has the tree.
 *
 * The host begins with a model that is `early`: the trees are read for the first time, which may
 * take many turns. What the reading finds is no news. What happens meanwhile is: it is heard, and
 * waits for model_begun.
 */
#ifndef EVWATCH_SOURCE_FILE_MODEL_MODEL_H
#define EVWATCH_SOURCE_FILE_MODEL_MODEL_H

#include "source/file/model/node.h"
#include "source/file/model/touched.h"

/* Rounds in which a directory may be elsewhere than expected. */
enum { MODEL_PATIENCE = 8 };

struct file_system;
struct model;
struct observer;

/* The receiver of the differences. `name` is lent. */
struct model_host {
	/* Is the directory to be entered? */
	bool (*enters)(struct model *m, const struct node *d, const char *name);
	/* `bits` of enum hint: what was said of it; none: a first reading found it, which is no
	 * news where d is `early`. */
	void (*came)(struct model *m, struct node *d, const char *name, char type, unsigned bits);
	/* `self` is its node, if it was entered: what was in it was reported before. */
	void (*gone)(struct model *m, struct node *d, const char *name, char type,
		     struct node *self);
	/*
	 * It is renamed: taken from here, and later put there, or dropped: then it is gone after
	 * all. What take returns is put's and drop's. What is gone from a directory that is in hand
	 * was in what was taken: go by `self`, since a directory above may be put elsewhere first.
	 */
	void *(*take)(struct model *m, struct node *d, const char *name, char type,
		      struct node *self);
	void (*put)(struct model *m, struct node *d, const char *name, void *thing);
	void (*drop)(struct model *m, void *thing);
	/* The directory is not entered any more, and stays known by its name. What was in `self`,
	 * its node until now, was reported as gone. */
	void (*shut)(struct model *m, struct node *d, const char *name, struct node *self);
	/* It came and went again within one look; `active` was done to it. */
	void (*flickered)(struct model *m, struct node *d, const char *name, unsigned active);
	/* This was done to what stands there: bits that only the observer and the host know, and
	 * not 0. */
	void (*active)(struct model *m, struct node *d, const char *name, char type,
		       unsigned active);
	/* Another look says that it was written, or (content false) that its owner or mode is
	 * another. */
	void (*changed)(struct model *m, struct node *d, const char *name, char type, bool content);
	/* The directory cannot be opened, read or watched (errno); it is said once a node. */
	void (*unseen)(struct model *m, struct node *n, int error);
	/* There is something for model_work. May come from inside it. */
	void (*wake)(struct model *m);
	/* The kernel dropped events, and all will be looked at again. What happened before `synced`
	 * (ns since the epoch) was passed on. */
	void (*lost)(struct model *m, int64_t synced);
};

/* A reading of a directory that goes on over several turns. */
struct reading {
	struct node *node; /* held; NULL: none is under way */
	int folder;
	bool below;     /* all below it is to be read again, too */
	bool first;     /* it was not read before: what is found is reported at once */
	bool disturbed; /* a round changed the directory meanwhile: it is read again */
};

/* Nodes that are to be read; the last is the first. They are held. */
struct nodes {
	struct node **items;
	size_t count, capacity;
};

enum stage {
	STAGE_IDLE,
	STAGE_LOOK,   /* at what was hinted at, and through what is stale */
	STAGE_TAKE,   /* what is now at another name */
	STAGE_REMOVE, /* what is gone or replaced */
	STAGE_PUT,    /* what was taken */
	STAGE_ADD,    /* what is new */
};

/* How far a round is, and what the next one is to know. */
struct progress {
	enum stage stage;
	struct link *at; /* of the round's names: this stage has come here */
	size_t in_hand;  /* names that were taken, and not put yet */
	bool has_put;    /* something, since the round was last walked from its start */
	bool drained;    /* what was hinted at may be looked at */
	bool awaits;     /* some of what was hinted at: its event is still to come */
	bool parity;     /* of the next round: is a listed node of this one? */
	unsigned mounts; /* how often model_remounted was called */
};

/* A tree whose content is being reported as gone, one name at a time. */
struct leaving {
	struct node *top; /* NULL: none */
	struct node *at;  /* whose entries go now; without a top: of model_unload */
	bool keeps_entry; /* it is not entered any more, but stays known by its name */
	void *thing;      /* the top is in hand, as this */
	int by;           /* who did it */
	int folder;       /* of what is sparse, while its names are learned; -1: none */
};

/* Of the first reading: what is watched before it is opened. */
struct ahead {
	struct nodes watched; /* in this turn */
	bool disturbed;       /* something happened in such a turn: no more of it */
};

struct model_settings {
	bool stamped;       /* polling: the stamps of all are kept and compared */
	bool follow;        /* links are followed below the roots, too */
	bool place_matters; /* whether a directory is entered depends on its path */
	bool sparse;        /* names are learned from what the observer hears: see sparse.c */
	bool learns;        /* with sparse: the names of all that moves are, too */
	bool unread;        /* with sparse: roots that are entered `early` are not read */
};

struct model {
	const struct file_system *fs;
	const struct model_host *host;
	struct observer *observer; /* NULL: none */
	void *owner;               /* the host's */
	struct model_settings settings;
	struct node *top;
	size_t directories; /* that are entered */
	bool early;         /* until model_begun: nodes that are entered are `early` */
	int by;             /* the process that did what is hinted at, or reported; 0: not known */
	bool rests;         /* set by the host: nothing is reported, what is done to names waits */
	bool lacks_memory;  /* a name was not kept: all is looked at again */
	int64_t since;      /* a file whose ctime is at least this was written unheard; 0: none */
	bool early_loss;    /* events were lost while it was early */
	bool left;          /* a node is gone: one of names.twice may be entered now */
	struct {
		struct touches hinted, round, waiting; /* waiting: for model_retry */
		struct touches own;   /* while `early`: where to look that no event speaks of */
		struct touches twice; /* directories that are entered by another path */
	} names;
	struct {
		struct nodes unread, later; /* later: for model_retry */
		struct nodes moved;         /* sparse: their names are to be learned */
		struct nodes stale, lost;   /* to be read again in this round, in the next */
	} nodes;
	struct reading reading;
	struct progress progress;
	struct leaving leaving;
	struct ahead ahead;
};

/* `m` is zeroed but for fs, host, observer, owner and the settings. 0, or -1 with ENOMEM. */
int model_open(struct model *m);
void model_close(struct model *m);
/* Before the close, where that may be long: all is taken out, and its watches with it, until
 * `deadline`; nothing is reported. True: there is more. Between two calls hints may come, but
 * nothing is looked at. */
bool model_unload(struct model *m, int64_t deadline);

/* A path of the user, to be looked at with the next drain. */
void model_add_root(struct model *m, const char *path);

/* Something happened to this name; `bits` of enum hint. */
void model_hint(struct model *m, struct node *d, const char *name, unsigned bits);
/* Something was done to what stands at this name: reported as it is, but not before what is still
 * to be looked at there. */
void model_active(struct model *m, struct node *d, const char *name, unsigned active);
/* The same of what is no directory. */
void model_active_file(struct model *m, struct node *d, const char *name, unsigned active);
/* As model_hint, of a node's own name in its parent. */
void model_suspect(struct model *m, struct node *n, unsigned bits);
/* The same where no event speaks of it, but a look or an observer's answer: while the model is
 * early this is a part of the first reading. */
void model_look_again(struct model *m, struct node *d, const char *name, unsigned bits);
/* As that, of a node's own name. */
void model_look_for(struct model *m, struct node *n, unsigned bits);
/* Events are missing: the node, and with `below` all below it, is read again. */
void model_lost(struct model *m, struct node *n, bool below);
/* Something was mounted or unmounted: directories that have left their names by now may be read
 * again where they are put, since nobody knows what that was in. */
void model_remounted(struct model *m);
/* The kernel's queue is empty: the host is woken. */
void model_drained(struct model *m);
/* What could not be read or looked at is tried again: now and then. */
void model_retry(struct model *m);
/* Is there anything for model_retry? */
bool model_waits(const struct model *m);

/* Was all looked at that was hinted at before the last drain, and is no round under way? */
bool model_settled(const struct model *m);
/* And is all looked at that was lost, or is to be read? */
bool model_idle(const struct model *m);

/* The first reading is over, model_work has nothing more to do: what was heard since may be looked
 * at, and is news. */
void model_begun(struct model *m);

/* Looks and reports until `deadline` (of the loop's clock). True: there is more to do. */
bool model_work(struct model *m, int64_t deadline);

/* The event that says why the name is otherwise is waited for, up to model_retry. */
void model_await(struct model *m, const struct touched *t);

/*
 * A file was renamed to where one of the same number was known. Either a look was ahead of that, or
 * this one is ahead of another rename, to which the number of the first file was given: then the
 * next event of that name is a second one, as if both were heard together.
 */
void model_expect_another(struct model *m, const struct touched *t);

/* ---- read.c ---- */
/* A step of reading: a part of a directory. False: none is to be read. `entering`: what is unread,
 * too. */
bool model_read(struct model *m, bool entering);
/* The node goes: it is not read on, nor watched. */
void model_forget(struct model *m, struct node *n);
/* Takes one name out of the node, the deepest first, or if none is left the node itself; nothing is
 * reported. Returns where to go on; NULL: the top is empty. */
struct node *model_take_out(struct model *m, struct node *n);
/* A directory of this entry is to be watched and read; its identity is checked then. */
void model_enter(struct model *m, struct node *d, struct entry *e, const struct identity *is);
/* Opens a directory, if it is the one that is expected at its path. Returns the descriptor, or -1
 * with errno; *displaced: something else is there, or nothing. */
int model_open_node(struct model *m, struct node *n, bool to_read, bool *displaced);
/* May this be what is expected at the node's path? */
bool model_expects(const struct node *n, const struct look *found);
/* A node that is not known yet, or stale, is to be read. */
void model_list(struct model *m, struct node *n);
/* The same of a stale one, in this very round. */
void model_list_now(struct model *m, struct node *n);
/* It cannot be opened now: it is read with the next model_retry. */
void model_read_later(struct model *m, struct node *n);
/* What is called `name` in the opened folder of d. 0, or -1 with errno. */
int model_look(const struct model *m, const struct node *d, int folder, const char *name,
	       struct look *now);
/* Are the stamps of what is in d kept? */
bool model_stamps(const struct model *m, const struct node *d);
/* A look at what is known: its stamp is kept and, if `stamps`, what it says is reported. */
void model_compare(struct model *m, struct node *d, struct entry *e, const struct look *now,
		   bool stamps);

/* ---- ahead.c ---- */
/* Watches what is to be opened, before it is: false where it is to be watched afterwards. */
bool model_watch_ahead(struct model *m, const struct opening *how);
/* The turn ends in which something was: it is what was opened then, or all is looked at again. */
void model_confirm_ahead(struct model *m);

/* ---- sparse.c ---- */
/*
 * The node of the directory that is called `name` in the sparse d, or was before what is hinted at
 * happened. NULL: it was not there, is not entered, or there is no memory. An identity without
 * inode is not known. `anyway`: also if other words of it were passed on first.
 */
struct node *model_know(struct model *m, struct node *d, const char *name,
			const struct identity *is, bool anyway);
/* It is no directory, or one that is not entered, and was there before; `was->type` may be
 * '?', or 'n' of what is gone and was no directory. */
void model_assume(struct model *m, struct node *d, const char *name, const struct look *was,
		  bool anyway);
/* Nothing had this name before what is hinted at happened: where a listing was ahead of that, it is
 * forgotten (true). */
bool model_unlearn(struct model *m, struct node *d, const char *name);
/* What is hinted at was done to this node's directory when it had this name: where a listing found
 * it in another place that was ahead, and is forgotten. */
void model_unlearn_elsewhere(struct model *m, const struct node *n, const struct node *d,
			     const char *name);
/* Is what is known there other than what an event says had the name, of which `which` is the node
 * (NULL: it has none)? Then a look was ahead, and found what has the name since. */
bool model_is_other(const struct node *d, const char *name, bool is_dir, const struct node *which);
/* Was the directory listed ahead of the event that it came? It is read when that is passed on: what
 * happened in it before is no news. */
bool model_is_early(const struct node *d);
/* A node that was made and removed again before anybody looked: what came and went in it is hinted
 * at by it. It is gone, and held for the caller. NULL: it would not be entered, or ENOMEM. */
struct node *model_ghost(struct model *m, struct node *d, const char *name);
/* Forgets the names in a directory that nobody holds, and the node if none is left: it is sparse
 * afterwards, or freed (true). Only when the model is idle, and what happened before the last
 * look into it was passed on. */
bool model_trim(struct model *m, struct node *n);
/* The names in it, and in what is in it, are learned before anything else is reported. */
void model_learn_moved(struct model *m, struct node *n);
/* A step of that. False: there is nothing to learn. */
bool model_learn_next(struct model *m);
/* A step of learning the names in a sparse directory that leaves. False: they are known. */
bool model_learn(struct model *m, struct node *n);

/* ---- settle.c ---- */
/* A step of settling, once all is looked at. */
void model_settle(struct model *m);
/* What is in the node is reported as gone in the next steps, and with it the node; or, if it keeps
 * its entry, that is not entered any more. */
void model_leave(struct model *m, struct node *n, bool keeps_entry);

/* ---- moves.c ---- */
/* The hint at a name in d that no event speaks of: HINT_AHEAD where the observer reports all that
 * happens, sooner or later. */
enum hint model_doubt(const struct model *m, const struct node *d);
/* Is what was looked at another than what is known (NULL: nothing)? */
bool model_differs(const struct entry *e, const struct look *now, unsigned bits);
/* All is looked at: what differs is known, and what is now at another name is taken out. */
void model_take_all(struct model *m);
/* What was done to what left this name is reported. */
void model_report_earlier(struct model *m, struct touched *t, const struct entry *e);

#endif
