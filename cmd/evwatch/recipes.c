/* See recipes.h. The manual has the same lines under RECIPES; the tests run each of them. */
#include "recipes.h"

#include <stdio.h>

/* Lines that begin with "evwatch" are for the shell, the others are a file of rules. None is wider
 * than a manual page in 80 columns shows. */
static const struct recipe {
	const char *title, *lines;
} recipes[] = {
    {"Restart a development server when a source changes",
     "evwatch file src --match '*.js' --on-busy restart -i -- node server.js\n"},
    {"Build, and restart the server when the build succeeded",
     "build: file src --match '*.go' -i -- go build -o server .\n"
     "web:   ended build --ok --on-busy restart -- exec ./server\n"},
    {"One run for each finished upload, two at once",
     "evwatch file upload --events close_write,move --each -j 2 -- ./import {}\n"},
    {"Only some extensions, in any case",
     "evwatch file photos --match '*.[jJ][pP][gG]' --match '*.[pP][nN][gG]' \\\n"
     "    -- ./thumbnails {}\n"},
    {"Wait for two ports, a URL, or a line of a log",
     "evwatch probe db:5432 cache:6379 --all --once --within 60s && ./migrate\n"
     "evwatch probe http://localhost:8080/health --once --within 60s\n"
     "evwatch lines app.log --follow --from start --match 'server is ready' \\\n"
     "    --once --within 60s\n"},
    {"Keep a command running", "evwatch run --restart always -- ./server\n"},
    {"Reload on new certificates, and end with the main process",
     "web:   run --restart no --last -- exec nginx -g 'daemon off;'\n"
     "certs: file /etc/ssl/site -- nginx -s reload\n"},
    {"Every five minutes, but never twice at once", "evwatch every 5m -- ./sync\n"},
    {"At boot and then every hour", "evwatch every 1h --initial -- ./sync\n"},
    {"A fixed pause between runs", "evwatch run --restart always --backoff 5m:5m -- ./sync\n"},
    {"Send mail, with its output, when the nightly backup fails",
     "backup: cron '15 3 * * *' --catch-up /var/lib/evwatch\n"
     "            -- ./backup >log 2>&1\n"
     "mail:   ended backup --failed -- mail -s \"$1 failed: $2\" root <log\n"},
    {"Ban an address after five failures in ten minutes, for an hour",
     "bans: lines /var/log/auth.log --follow\n"
     "          --match 'Failed .* from ([0-9.]+)' --times 5/10m --by 2\n"
     "          --on-busy parallel -j 1000\n"
     "          -- trap 'unban \"$2\"' EXIT; trap exit TERM; ban \"$2\"; sleep 3600\n"},
    {"Forward a port to a Unix socket, at most 20 connections an address",
     "evwatch relay '*:8080' unix:/run/app.sock --max-per-ip 20\n"},
    {"Follow a log across rotations and restarts, no line lost",
     "evwatch lines /var/log/app.log --follow --catch-up /var/lib/evwatch \\\n"
     "    --match ERROR -- ./notify {}\n"},
    {"The first process of a container", "web:  run --restart no --last -- exec ./server\n"
					 "logs: signal USR1 -- ./rotate-logs\n"},
};

void recipes_print(void)
{
	for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
		printf("%s%s:\n", i ? "\n" : "", recipes[i].title);
		for (const char *line = recipes[i].lines, *end; *line; line = end + 1) {
			for (end = line; *end != '\n'; end++)
				;
			printf("    %.*s\n", (int)(end - line), line);
		}
	}
}
