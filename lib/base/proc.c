/* See proc.h. */
#include "base/proc.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

size_t proc_text(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n = 0;

	/* Where a file is long, one read gives a page of it. */
	while (fd >= 0 && length < room - 1 &&
	       ((n = read(fd, text + length, room - 1 - length)) > 0 || (n < 0 && errno == EINTR)))
		length += n > 0 ? (size_t)n : 0;
	fd_close(&fd);
	text[length] = '\0';
	return length;
}

size_t proc_text_of(pid_t pid, const char *name, char *text, size_t room)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	return proc_text(path, text, room);
}

bool proc_find_line(const char *path, proc_line *line_call, void *context)
{
	FILE *f = fopen(path, "re");
	char line[512];
	bool found = false;

	while (f && !found && fgets(line, sizeof line, f))
		found = line_call(line, context);
	if (f)
		fclose(f);
	return found;
}
