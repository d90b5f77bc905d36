/*
 * What is wrong with rules on this machine, and only here: programs, users and folders that are not
 * there, text that the shell does not take, addresses that another process has. For check and
 * --dry-run: nothing stays open and nothing is armed.
 */
#ifndef EVWATCH_MACHINE_H
#define EVWATCH_MACHINE_H

struct rules;

/* Adds what is wrong to the diagnostics, at the rule's place. Returns 0, or -1: something is. */
int machine_check(struct rules *rules);

#endif
