/*
 * Runs that a terminal stop signal stopped: a command in the background that reads the terminal, or
 * sets its modes, gets SIGTTIN or SIGTTOU and waits for ever. The run is named in the log, with the
 * cure. Only where evwatch has a controlling terminal can that happen.
 */
#ifndef EVWATCH_JOB_STOPPED_H
#define EVWATCH_JOB_STOPPED_H

struct job;

void stopped_open(struct job *j);
void stopped_close(struct job *j);

#endif
