/*
 * How a change becomes known: inotify, fanotify, polling, each one `struct observer_type`.
 *
 * The model asks for watches; what the observer hears it passes upward by model_hint, model_lost
 * and model_drained (model.h), which say where to look and never what is there.
 */
#ifndef EVWATCH_SOURCE_FILE_MODEL_OBSERVER_H
#define EVWATCH_SOURCE_FILE_MODEL_OBSERVER_H

#include <stdbool.h>

struct error;
struct model;
struct node;
struct observer;
struct opening;

struct observer_type {
	const char *name;
	/* Acquires what it needs. 0, or -1 with `e`. */
	int (*open)(struct observer *o, struct error *e);
	/*
	 * Watches the directory that is open at `folder` and was opened by `path`; it is read
	 * afterwards, so nothing falls between. 0, or -1 with errno. EEXIST: another node has this
	 * directory; model_look_for was called for it. EXDEV: it is not to be entered, and stays
	 * known by its name. Others: it goes without a watch. Called again when the directory is
	 * read again: its watch may have gone unheard.
	 */
	int (*watch)(struct observer *o, struct node *n, int folder, const char *path);
	/*
	 * For models that watch ahead (ahead.c), else NULL. watch_ahead: the same of what stands at
	 * the path before it is opened; -1: watch is to be called. is_quiet: nothing happened in
	 * what is watched, on the way to the roots as well, that was not passed on, and nothing was
	 * mounted or unmounted since it was last asked. lose: some watches were of other
	 * directories, so events are missing, as after an overflow.
	 */
	int (*watch_ahead)(struct observer *o, struct node *n, const struct opening *how);
	bool (*is_quiet)(const struct observer *o);
	void (*lose)(struct observer *o);
	void (*unwatch)(struct observer *o, struct node *n);
	/*
	 * For models that are sparse, else NULL. reopen: opens the node's directory to be read,
	 * wherever it is by now, or returns -1. found: the node is the directory of that name in
	 * the opened folder. catch_up: the node goes before all that was done in it was passed on:
	 * the events are read now, and what they say was in it is assumed to be.
	 */
	int (*reopen)(struct observer *o, struct node *n);
	void (*found)(struct observer *o, struct node *n, int folder, const char *name);
	void (*catch_up)(struct observer *o, struct node *n);
	/* Reads what the kernel has, and passes it on, about 2 ms a call. The owner calls this when
	 * model_work has nothing more to do. */
	void (*read)(struct observer *o);
	void (*close)(struct observer *o);
};

struct observer {
	const struct observer_type *type;
	struct model *model;
};

#endif
