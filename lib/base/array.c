/* See array.h. */
#include "base/array.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int array_grow(void *pointer, size_t *capacity, size_t need, size_t size)
{
	size_t wanted = *capacity ? *capacity : 8;
	char *grown;
	void *data;

	if (need <= *capacity)
		return 0;
	if (need > SIZE_MAX / 4 / size) {
		errno = ENOMEM;
		return -1;
	}
	while (wanted < need)
		wanted *= 2;
	/* The variable may be of any pointer type: copied, for aliasing's sake. */
	memcpy(&data, pointer, sizeof data);
	grown = realloc(data, wanted * size);
	if (!grown)
		return -1;
	memset(grown + *capacity * size, 0, (wanted - *capacity) * size);
	memcpy(pointer, &grown, sizeof grown);
	*capacity = wanted;
	return 0;
}
