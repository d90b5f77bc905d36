/* See git.h. In a linked work tree or a submodule, `.git` is a file that says where it is. */
#include "source/file/choose/git.h"

#include "base/buf.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 65536 };

static char *read_all(int fd)
{
	struct buf b = {0};
	ssize_t n;

	do {
		n = buf_reserve(&b, PIECE) < 0 ? -1 : read(fd, b.data + b.length, PIECE);
		b.length += n > 0 ? (size_t)n : 0;
		if (b.length > GIT_FILE_MOST) {
			errno = EFBIG;
			n = -1;
			break;
		}
	} while (n > 0 || (n < 0 && errno == EINTR));
	buf_add_char(&b, '\0');
	if (n == 0)
		return buf_take(&b);
	buf_free(&b);
	return NULL;
}

char *git_read_file(const char *path, bool follow)
{
	int fd =
	    open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW));
	struct stat st;
	char *text = NULL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0)
		text = NULL;
	else if (!S_ISREG(st.st_mode))
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	else if (st.st_size > GIT_FILE_MOST)
		errno = EFBIG;
	else
		text = read_all(fd);
	fd_close(&fd);
	return text;
}

char *git_path_in(const char *directory, const char *path)
{
	struct buf b = {0};

	if (*path != '/')
		buf_printf(&b, "%s/", directory);
	buf_add_text(&b, path);
	return buf_take(&b);
}

/* The path in the one line of a file, after `prefix`. */
static char *path_in_line(const char *path, const char *prefix, const char *directory)
{
	char *text = path ? git_read_file(path, true) : NULL, *found = NULL;
	size_t n = strlen(prefix);

	if (text && strncmp(text, prefix, n) == 0) {
		text[n + strcspn(text + n, "\r\n")] = '\0';
		found = git_path_in(directory, text + n);
	}
	free(text);
	return found;
}

char *git_directory(const char *directory)
{
	char *git = git_path_in(directory, ".git"), *elsewhere = NULL;
	struct stat st;

	if (git && stat(git, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return git;
		elsewhere = path_in_line(git, "gitdir: ", directory);
	}
	free(git);
	return elsewhere;
}

char *git_common(const char *git)
{
	char *file = git_path_in(git, "commondir");
	char *shared = path_in_line(file, "", git);

	free(file);
	return shared ? shared : strdup(git);
}
