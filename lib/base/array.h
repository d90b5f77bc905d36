/* Growing arrays of any element: the owner keeps pointer, count and capacity as plain fields. */
#ifndef EVWATCH_BASE_ARRAY_H
#define EVWATCH_BASE_ARRAY_H

#include <stddef.h>

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Makes room for `need` elements of `size` bytes (doubling) behind the pointer variable that
 * `pointer` is the address of; it may move, and new room is zeroed. Returns 0, or -1 with ENOMEM
 * and everything as it was.
 */
int array_grow(void *pointer, size_t *capacity, size_t need, size_t size);

/* array_grow for a typed pointer. */
#define ARRAY_GROW(pointer, capacity, need)                                                        \
	((need) <= (capacity) ? 0 : array_grow(&(pointer), &(capacity), (need), sizeof *(pointer)))

#endif
