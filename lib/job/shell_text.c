/*
 * Which command text needs a shell? make's rule: none of the shell's characters, no builtin, no
 * assignment in front. What is left the shell would only split at blanks and execute.
 */
#include "job/launch.h"

#include "base/array.h"

#include <string.h>

/* Words that the shell does itself, or does in another way than the program of the name. */
static const char *const builtins[] = {
    ".",       ":",        "[",       "alias", "bg",     "break", "case",  "cd",       "chdir",
    "command", "continue", "do",      "done",  "echo",   "elif",  "else",  "esac",     "eval",
    "exec",    "exit",     "export",  "fc",    "fg",     "fi",    "for",   "getopts",  "hash",
    "if",      "jobs",     "kill",    "local", "printf", "pwd",   "read",  "readonly", "return",
    "set",     "shift",    "source",  "test",  "then",   "time",  "times", "trap",     "type",
    "ulimit",  "umask",    "unalias", "unset", "until",  "wait",  "while", "in",
};

bool text_needs_shell(const char *text)
{
	size_t blanks = strspn(text, " \t"), length = strcspn(text + blanks, " \t");
	const char *first = text + blanks;

	if (!length || strpbrk(text, "#;\"'*?[]&|<>(){}$`^~!\\\n%"))
		return true;
	if (memchr(first, '=', length))
		return true;
	for (size_t i = 0; i < ARRAY_LENGTH(builtins); i++)
		if (strlen(builtins[i]) == length && memcmp(builtins[i], first, length) == 0)
			return true;
	return false;
}
