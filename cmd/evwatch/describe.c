/* See describe.h. */
#include "describe.h"
#include "options.h"

#include "rule/rule.h"

#include <stdio.h>

void rules_tell(const struct rules *rules)
{
	struct buf b = {0};

	for (size_t i = 0; i < rules->count; i++) {
		rule_describe(rules->items[i], &b);
		buf_add_char(&b, '\n');
	}
	if (b.data)
		fwrite(b.data, 1, b.length, stdout);
	buf_free(&b);
	diagnostics_tell(&rules->doubts);
}
