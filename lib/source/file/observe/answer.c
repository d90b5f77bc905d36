/* What one look found; see answer.h. */
#include "source/file/observe/answer.h"

#include "base/array.h"
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct answer *answer_hold(struct answer *a)
{
	a->holds++;
	return a;
}

void answer_release(struct answer *a)
{
	if (!a || --a->holds)
		return;
	while (a->count)
		free(a->items[--a->count]);
	free(a->items);
	free(a);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct found *const *)a)->name, (*(struct found *const *)b)->name);
}

static int name_order(const void *name, const void *item)
{
	return strcmp(name, (*(struct found *const *)item)->name);
}

const struct found *answer_find(const struct answer *a, const char *name)
{
	struct found **at =
	    a->count ? bsearch(name, a->items, a->count, sizeof *a->items, name_order) : NULL;

	return at ? *at : NULL;
}

static uint64_t sum_of_look(const struct look *l)
{
	const uint64_t parts[] = {(uint64_t)l->type, l->identity.inode, l->identity.device,
				  l->identity.born,  l->stamp.content,  l->stamp.attributes};

	return hash_bytes(parts, sizeof parts);
}

/* The order of a directory is not a part of it. */
static uint64_t sum_of(const struct answer *a)
{
	uint64_t sum = sum_of_look(&a->look) + (uint64_t)a->error;

	for (size_t i = 0; i < a->count; i++) {
		const struct found *f = a->items[i];
		const uint64_t parts[] = {hash_bytes(f->name, strlen(f->name)),
					  sum_of_look(&f->look), sum_of_look(&f->target)};

		sum += hash_bytes(parts, sizeof parts);
	}
	return sum | 1;
}

static int add_found(const struct file_system *fs, int folder, const char *name, bool follow,
		     struct answer *a, size_t *capacity)
{
	size_t length = strlen(name) + 1;
	struct found *f = calloc(1, sizeof *f + length);

	if (!f || ARRAY_GROW(a->items, *capacity, a->count + 1) < 0) {
		free(f);
		errno = ENOMEM;
		return -1;
	}
	memcpy(f->name, name, length);
	a->items[a->count++] = f;
	if (fs->look(fs, folder, f->name, false, &f->look) < 0)
		f->look = (struct look){.type = '?'};
	if (follow && f->look.type == 'l')
		fs->look(fs, folder, f->name, true, &f->target);
	return 0;
}

static int read_folder(const struct file_system *fs, int folder, bool follow, struct answer *a)
{
	struct listed listed;
	size_t capacity = 0;
	int got;

	while ((got = fs->next(fs, folder, &listed)) > 0)
		if (add_found(fs, folder, listed.name, follow, a, &capacity) < 0)
			return -1;
	if (a->count)
		qsort(a->items, a->count, sizeof *a->items, by_name);
	return got;
}

static int list(const struct file_system *fs, const struct opening *how, struct answer *a)
{
	int folder = fs->open(fs, how, &a->look), result;

	if (folder < 0)
		return -1;
	result = read_folder(fs, folder, how->follow, a);
	fs->close(fs, folder);
	return result;
}

struct answer *answer_new(const struct file_system *fs, const struct opening *how)
{
	struct answer *a = calloc(1, sizeof *a);
	int result;

	if (!a)
		return NULL;
	a->holds = 1;
	result =
	    how->to_read ? list(fs, how, a) : fs->look(fs, FOLDER_NONE, how->path, true, &a->look);
	a->error = result < 0 ? errno : 0;
	a->sum = sum_of(a);
	return a;
}
