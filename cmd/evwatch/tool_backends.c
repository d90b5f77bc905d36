/* `evwatch backends`: which there are, whether they work here, and what each is best for. */
#include "tools.h"

#include "base/buf.h"
#include "base/text.h"
#include "reactor/reactor.h"

#include <stdio.h>
#include <string.h>

static void print_json(const struct backend_info *b, bool works, const struct reactor_error *why)
{
	struct buf out = {0};

	buf_printf(&out, "{\"name\":\"%s\",\"available\":%s,", b->name, works ? "true" : "false");
	if (!works) {
		buf_add_text(&out, "\"why\":");
		json_add_string(&out, why->what, strlen(why->what));
		buf_add_char(&out, ',');
	}
	buf_printf(&out, "\"best_for\":\"%s\",\"limits\":\"%s\"}\n", b->purpose, b->limits);
	if (out.data)
		fwrite(out.data, 1, out.length, stdout);
	buf_free(&out);
}

static void print_text(const struct backend_info *b, bool works, const struct reactor_error *why)
{
	printf("%-10s%s%s\n", b->name,
	       works ? "works here" : "does not work here: ", works ? "" : why->what);
	if (!works && *why->hint)
		printf("%10s%s\n", "", why->hint);
	printf("%10sbest for %s\n%10slimits: %s\n", "", b->purpose, "", b->limits);
}

int tool_backends(int argc, char **argv)
{
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0;

	if (argc > 2 || (argc == 2 && !json)) {
		fprintf(stderr, "evwatch: backends takes only --json\n");
		return 2;
	}
	for (const struct backend_info *const *b = reactor_backends(); *b; b++) {
		struct reactor_error why;
		bool works = reactor_backend_works((*b)->name, &why);

		if (json)
			print_json(*b, works, &why);
		else
			print_text(*b, works, &why);
	}
	return 0;
}
