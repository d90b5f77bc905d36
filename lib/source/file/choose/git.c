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

char *git_read_file(const char *path, bool follow)
{
	int fd =
	    open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW));
	struct stat st;
	struct buf b = {0};
	int result = -1;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	else if (st.st_size > GIT_FILE_MOST)
		errno = EFBIG;
	else
		result = fd_read_all(fd, &b, GIT_FILE_MOST);
	fd_close(&fd);
	if (result == 0 && buf_add_char(&b, '\0') == 0)
		return buf_take(&b);
	buf_free(&b);
	return NULL;
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
