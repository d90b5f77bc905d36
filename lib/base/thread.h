/* A thread for a call that blocks: nobody waits for it, and it gets no signal of the process. */
#ifndef EVWATCH_BASE_THREAD_H
#define EVWATCH_BASE_THREAD_H

#include <stddef.h>

/* Starts one, detached, with a stack of so many bytes. Returns 0, or an errno. */
int thread_start(void *(*run)(void *argument), void *argument, size_t stack);

#endif
