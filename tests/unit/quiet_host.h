/*
 * The part of a model's host that tests which work the model in each turn have no use for.
 */
#ifndef EVWATCH_TESTS_QUIET_HOST_H
#define EVWATCH_TESTS_QUIET_HOST_H

#include "source/file/model/model.h"

static inline void shut(struct model *m, struct node *d, const char *name, struct node *self)
{
	(void)m;
	(void)d;
	(void)name;
	(void)self;
}

static void wake(struct model *m)
{
	(void)m;
}

static void lost(struct model *m, int64_t synced)
{
	(void)m;
	(void)synced;
}

#endif
