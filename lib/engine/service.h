/* What the engine reports to the service manager (process/notify.h), where there is one. */
#ifndef EVWATCH_ENGINE_SERVICE_H
#define EVWATCH_ENGINE_SERVICE_H

struct engine;
struct service;

/* All is armed: READY. From here on the watchdog is fed, while the loop turns. */
void service_ready(struct engine *e);
/* The rules are read again: RELOADING, and when it is over service_reloaded. */
void service_reloading(const struct engine *e);
void service_reloaded(const struct engine *e);
void service_stopping(const struct engine *e);
void service_close(struct engine *e);

#endif
