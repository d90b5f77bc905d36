/*
 * libFuzzer plays a worker of a relay that strangers took over: it says what it likes to the
 * process of the loop. Beyond "it does not crash": an event that is taken has a subject, and a time
 * of the clock.
 *
 * Its bytes come over the channel as they are, and beside that as an event of every length.
 */
#include "base/error.h"
#include "net/channel.h"
#include "source/relay/config.h"
#include "source/relay/report.h"
#include "source/relay/state.h"
#include "source/relay/workers/place.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONGEST = 256 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct relay_config config;
static struct relay_source source;
static struct reactor *reactor;

static void on_emit(struct source *s, const struct event *events, size_t n)
{
	(void)s;
	for (size_t i = 0; i < n; i++)
		if (events[i].n_subjects != 1 || !memchr(events[i].subjects[0], '\0', LONGEST) ||
		    events[i].time.tv_nsec < 0 || events[i].time.tv_nsec >= 1000000000)
			abort();
}

static const struct source_host host = {.emit = on_emit};

static void on_message(struct channel *c, unsigned char type, const char *bytes, size_t length)
{
	(void)c;
	if (type == WORKER_EVENT)
		report_event_of_worker(&source, bytes, length);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char *const words[] = {"127.0.0.1:1", "127.0.0.1:2", "unix:target", NULL};
	struct reactor_error why;
	struct error e;

	(void)argc;
	(void)argv;
	relay_config_init(&config);
	reactor = reactor_new("poll", &why);
	if (!reactor || relay_config_arguments(&config, words, 3, &e) < 0)
		abort();
	source.base.config = &config;
	source.base.host = &host;
	source.base.rule = "r";
	source.base.printed = true;
	return 0;
}

static void over_the_channel(const uint8_t *data, size_t size)
{
	struct channel c;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
	    channel_open(&c, reactor, pair[0], on_message, NULL) < 0 ||
	    write(pair[1], data, size) != (ssize_t)size)
		abort();
	close(pair[1]);
	channel_drain(&c);
	channel_close(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char event[LONGEST] = {0};

	over_the_channel(data, size);
	memcpy(event, data, size < LONGEST ? size : LONGEST);
	for (size_t length = 0; length <= LONGEST; length += 8) {
		char *bytes = malloc(length + 1); /* of that size, for the sanitizer */

		memcpy(bytes, event, length);
		report_event_of_worker(&source, bytes, length);
		free(bytes);
	}
	return 0;
}
