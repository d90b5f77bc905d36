/* The tools: `evwatch check`, `evwatch next`, ... One row of the table each. */
#ifndef EVWATCH_TOOLS_H
#define EVWATCH_TOOLS_H

struct tool {
	const char *name;
	const char *arguments;
	const char *summary;
	const char *options;  /* a line each, as --help prints them; NULL: none of its own */
	const char *examples; /* the same */
	/* argv[0] is the tool's name. Returns the exit status. NULL: not there yet. */
	int (*run)(int argc, char **argv);
};

/* Ends with a NULL name. */
extern const struct tool tools[];

const struct tool *tool_find(const char *name);

/* The names alone, NULL-terminated. */
const char *const *tool_names(void);

int tool_backends(int argc, char **argv);
int tool_check(int argc, char **argv);
int tool_completions(int argc, char **argv);
int tool_help(int argc, char **argv);
int tool_next(int argc, char **argv);
int tool_pause(int argc, char **argv);
int tool_quit(int argc, char **argv);
int tool_reload(int argc, char **argv);
int tool_resume(int argc, char **argv);
int tool_status(int argc, char **argv);
int tool_stop(int argc, char **argv);
int tool_top(int argc, char **argv);
int tool_trigger(int argc, char **argv);

#endif
