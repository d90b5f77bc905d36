/* usage: mark FILE WORD. Appends the word to the file: a true(1) that leaves a trace of its run. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char line[64];
	size_t length;
	int fd;

	if (argc != 3 || (length = strlen(argv[2])) >= sizeof line)
		return 2;
	memcpy(line, argv[2], length);
	line[length++] = '\n';
	fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0666);
	return fd < 0 || write(fd, line, length) != (ssize_t)length;
}
