/* What happens, top to bottom. */
#include <stdio.h>

int main(void)
{
	fprintf(stderr, "evwatch: not there yet\n");
	return 2;
}
