/*
 * Changes by inotify(7): a watch for each directory that is entered.
 *
 * Events say where to look; the model looks when the queue is empty. What was done to files
 * (written, closed, opened ...) is passed on as enum file_event.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_INOTIFY_H
#define EVWATCH_SOURCE_FILE_OBSERVE_INOTIFY_H

#include "inotify/inotify.h"
#include "source/file/batch/events.h"
#include "source/file/model/observer.h"

#include <stddef.h>
#include <stdint.h>

struct inotify_observer {
	struct observer base;
	struct inotify_user user; /* of the set; the rule's name and priority are set */
	struct inotify_set *set;
	char *const *roots; /* for the choice of an instance; absolute, without links */
	size_t n_roots;
	unsigned active; /* enum file_event: what is asked for beside what makes the tree */
	/* Is each name on the way to this root watched? NULL: yes. */
	bool (*is_followed)(const struct inotify_observer *o, const char *path, size_t root);
};

/* The kernel's events as enum file_event, and back. Those of fanotify(7) are the same bits. */
unsigned inotify_active_of(uint32_t mask);
uint32_t inotify_mask_of(unsigned active);

extern const struct observer_type observer_inotify;

#endif
