/*
 * What a service tells its manager (sd_notify(3)), without its library: datagrams to the socket
 * that NOTIFY_SOCKET names. The manager listens to the main process, which is the guardian.
 */
#ifndef EVWATCH_PROCESS_NOTIFY_H
#define EVWATCH_PROCESS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Is there a service manager that waits for notifications? */
bool notify_wanted(void);

/* How often (ns) WATCHDOG=1 is expected of the process `main`; 0: never. */
int64_t notify_watchdog(int main);

/* Sends "READY=1\nSTATUS=..."; it never waits, and what cannot be sent is lost. */
void notify_send(const char *text);

#endif
