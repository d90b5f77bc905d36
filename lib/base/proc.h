/* What the kernel says in small files: proc(5), sysctls. */
#ifndef EVWATCH_BASE_PROC_H
#define EVWATCH_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The beginning of a file as a text, empty where it cannot be read. Returns its length. */
size_t proc_text(const char *path, char *text, size_t room);

/* The same of /proc/PID/NAME. */
size_t proc_text_of(pid_t pid, const char *name, char *text, size_t room);

/* A line of a table. True: no more are wanted. */
typedef bool proc_line(const char *line, void *context);

/* Reads a table until a line was enough. False: none was, or it cannot be read. */
bool proc_find_line(const char *path, proc_line *line_call, void *context);

#endif
