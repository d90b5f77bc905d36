/* For LD_PRELOAD: the process holds BALLAST MiB of touched memory; its commands do not. */
#include <stdlib.h>
#include <string.h>

__attribute__((constructor)) static void take(void)
{
	const char *size = getenv("BALLAST");
	size_t bytes = size ? strtoul(size, NULL, 10) << 20 : 0;
	char *memory = bytes ? malloc(bytes) : NULL;

	if (memory)
		memset(memory, 1, bytes);
	unsetenv("BALLAST");
	unsetenv("LD_PRELOAD");
}
