/*
 * Which command text needs a shell? make's rule: none of the shell's characters, no builtin, no
 * assignment in front. What is left the shell would only split at blanks and execute.
 */
#include "process/launch.h"

#include "base/array.h"

#include <string.h>

/*
 * Words that a shell does itself, or does in another way than the program of the name: those of
 * sh(1), and those of the shells that may stand in its place (bash, ksh, busybox).
 */
static const char *const builtins[] = {
    ".",       ":",      "[",        "alias",   "bg",      "break",     "builtin",  "caller",
    "case",    "cd",     "chdir",    "command", "compgen", "complete",  "continue", "coproc",
    "declare", "dirs",   "disown",   "do",      "done",    "echo",      "elif",     "else",
    "enable",  "esac",   "eval",     "exec",    "exit",    "export",    "fc",       "fg",
    "fi",      "for",    "function", "getopts", "hash",    "help",      "history",  "if",
    "in",      "jobs",   "kill",     "let",     "local",   "logout",    "mapfile",  "popd",
    "print",   "printf", "pushd",    "pwd",     "read",    "readarray", "readonly", "return",
    "select",  "set",    "shift",    "shopt",   "source",  "suspend",   "test",     "then",
    "time",    "times",  "trap",     "type",    "typeset", "ulimit",    "umask",    "unalias",
    "unset",   "until",  "wait",     "whence",  "while",
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
