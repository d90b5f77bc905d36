/* See zone.h. The hard part: a file is replaced while zones of it are in use; addresses stay. */
#include "calendar/zone.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/safe_open.h"
#include "base/log.h"
#include "base/text.h"
#include "calendar/zone_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* What tells that a file is another one now. */
struct identity {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
};

struct zone {
	struct zone *next;
	char *name;
	char *path; /* NULL: not from a file */
	struct identity identity;
	struct zone_table table;
};

struct zone_set {
	struct zone *zones; /* the one asked for last is first */
};

const char *zone_directory(void)
{
	const char *directory = getenv("TZDIR");

	return directory && *directory == '/' ? directory : "/usr/share/zoneinfo";
}

struct zone_set *zone_set_new(void)
{
	return calloc(1, sizeof(struct zone_set));
}

static void zone_free(struct zone *z)
{
	zone_table_free(&z->table);
	free(z->name);
	free(z->path);
	free(z);
}

void zone_set_free(struct zone_set *set)
{
	if (!set)
		return;
	for (struct zone *z = set->zones, *next; z; z = next) {
		next = z->next;
		zone_free(z);
	}
	free(set);
}

static bool identity_same(const struct identity *a, const struct identity *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->modified.tv_sec == b->modified.tv_sec &&
	       a->modified.tv_nsec == b->modified.tv_nsec;
}

static struct identity identity_of(const struct stat *st)
{
	return (struct identity){st->st_dev, st->st_ino, st->st_size, st->st_mtim};
}

/* All bytes of a small file. Returns 0, or -1 with errno. */
static int file_read(const char *path, struct buf *out, struct identity *identity, struct error *e)
{
	enum { LIMIT = 1 << 20, STEP = 8192 };
	int fd = safe_open(path, O_RDONLY, 0, 0, "cannot read", e);
	struct stat st;
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0)
		n = 1;
	*identity = identity_of(&st);
	while (n > 0 && out->length < LIMIT && buf_reserve(out, STEP) == 0) {
		n = read(fd, out->data + out->length, STEP);
		out->length += n > 0 ? (size_t)n : 0;
	}
	fd_close(&fd);
	if (n > 0)
		errno = out->failed ? ENOMEM : EFBIG;
	return n == 0 ? 0 : -1;
}

/* Reads the zone's file into its table; what was there before is kept when that fails. */
static int zone_load(struct zone *z, struct error *e)
{
	struct zone_table table;
	struct buf bytes = {0};
	const char *wrong;

	error_clear(e);
	if (file_read(z->path, &bytes, &z->identity, e) < 0) {
		buf_free(&bytes);
		/* A refusal has its cure already. */
		return *e->hint ? -1 : error_errno(e, "cannot read the time zone %s", z->name);
	}
	wrong = zone_table_read(&table, (const unsigned char *)bytes.data, bytes.length);
	buf_free(&bytes);
	if (wrong)
		return error_set(e, "cannot use the time zone %s: %s", z->name, wrong);
	zone_table_free(&z->table);
	z->table = table;
	return 0;
}

/* No way out of the directory, nothing that cannot be a name there. */
static bool name_is_safe(const char *name)
{
	if (!*name || *name == '/' || strlen(name) > 200 || strstr(name, "//"))
		return false;
	for (const char *s = name; *s; s += strcspn(s, "/"), s += *s == '/')
		if (*s == '.')
			return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			    "+-_/.") == strlen(name);
}

static char *path_in_directory(const char *name)
{
	struct buf path = {0};

	buf_printf(&path, "%s/%s", zone_directory(), name);
	return buf_take(&path);
}

static bool is_zone_file(const char *path)
{
	struct error e;
	int fd = safe_open(path, O_RDONLY, 0, 0, "cannot read", &e);
	char magic[4] = "";
	bool is;

	if (fd < 0)
		return false;
	is = read(fd, magic, sizeof magic) == sizeof magic && memcmp(magic, "TZif", 4) == 0;
	fd_close(&fd);
	return is;
}

bool zone_exists(const char *name)
{
	char *path;
	bool exists;

	if (strcasecmp(name, "UTC") == 0)
		return true;
	path = name_is_safe(name) ? path_in_directory(name) : NULL;
	exists = path && is_zone_file(path);
	free(path);
	return exists;
}

/* A zone made of a rule alone, as in TZ=CET-1CEST,M3.5.0,M10.5.0/3. */
static int zone_from_rule(struct zone *z, const char *rule)
{
	z->table.has_rule = true;
	z->table.last = INT64_MIN;
	return zone_rule_parse(&z->table.rule, rule);
}

static int zone_unknown(const char *name, struct error *e)
{
	error_set(e, "there is no time zone \"%s\"", name);
	return error_hint(e, "names are those of %s, as Europe/Berlin; UTC", zone_directory());
}

/* Fills the zone from what its name means. */
static int zone_open(struct zone *z, const char *name, struct error *e)
{
	if (strcasecmp(name, "UTC") == 0)
		return zone_from_rule(z, "UTC0");
	if (*name == '/')
		z->path = strdup(name);
	else if (zone_exists(name))
		z->path = path_in_directory(name);
	else if (zone_from_rule(z, name) == 0)
		return 0;
	else
		return zone_unknown(name, e);
	return z->path ? zone_load(z, e) : error_errno(e, "out of memory");
}

/* The system's own: TZ as tzset(3) reads it, else /etc/localtime, else UTC. */
static int zone_open_local(struct zone *z, struct error *e)
{
	const char *name = getenv("TZ");

	if (name)
		return zone_open(z, *name == ':' ? name + 1 : *name ? name : "UTC", e);
	if (access("/etc/localtime", F_OK) < 0)
		return zone_from_rule(z, "UTC0");
	return zone_open(z, "/etc/localtime", e);
}

const struct zone *zone_get(struct zone_set *set, const char *name, struct error *e)
{
	const char *called = name ? name : "local";
	struct zone *z;

	for (struct zone **at = &set->zones; *at; at = &(*at)->next) {
		if (strcmp((*at)->name, called) != 0)
			continue;
		z = *at;
		*at = z->next;
		z->next = set->zones;
		return set->zones = z;
	}
	z = calloc(1, sizeof *z);
	if (z)
		z->name = strdup(called);
	if (!z || !z->name) {
		free(z);
		error_errno(e, "out of memory");
		return NULL;
	}
	if ((name ? zone_open(z, name, e) : zone_open_local(z, e)) < 0) {
		zone_free(z);
		return NULL;
	}
	z->next = set->zones;
	return set->zones = z;
}

/* True when the file is another one and could be read. */
static bool zone_refresh(struct zone *z)
{
	struct identity now;
	struct stat st;
	struct error e;

	if (!z->path || stat(z->path, &st) < 0)
		return false;
	now = identity_of(&st);
	if (identity_same(&now, &z->identity))
		return false;
	if (zone_load(z, &e) == 0)
		return true;
	/* Logged once: the next look compares with this file. */
	z->identity = now;
	log_warn(NULL, "%s; the rules read before stay in use", e.what);
	return false;
}

bool zone_set_refresh(struct zone_set *set)
{
	bool changed = false;

	for (struct zone *z = set->zones; z; z = z->next)
		changed |= zone_refresh(z);
	return changed;
}

size_t zone_set_each(const struct zone_set *set, void (*each)(void *context, const char *path),
		     void *context)
{
	size_t n = 0;

	for (const struct zone *z = set ? set->zones : NULL; z; z = z->next, n++)
		if (each && z->path)
			each(context, z->path);
	return n;
}

void zone_find(const struct zone *z, int64_t at, struct zone_segment *segment)
{
	zone_table_find(&z->table, at, segment);
}

int32_t zone_offset(const struct zone *z, int64_t at)
{
	struct zone_segment segment;

	zone_find(z, at, &segment);
	return segment.offset;
}
