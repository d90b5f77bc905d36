/*
 * The PROXY protocol's header (haproxy's proxy-protocol.txt, section 2): what a proxy says in front
 * of a connection's bytes that name the real client. Version 1 is a line of text,
 * version 2 is binary. Pure functions.
 *
 * A sender must be believed: only those who are trusted may be allowed to send one.
 */
#ifndef EVWATCH_ADDRESS_PROXY_HEADER_H
#define EVWATCH_ADDRESS_PROXY_HEADER_H

#include "address/address.h"

enum {
	PROXY_V1_MOST = 107,       /* with its CR LF */
	PROXY_HEADER_MOST = 65536, /* longer ones, by what they append, are refused */
	PROXY_HEADER_ROOM = 232,   /* what proxy_header_write writes, at most */
};

struct proxy_header {
	/* The connection's ends, unmapped; of one family. Unless `has_ends` they are not known:
	 * LOCAL, UNKNOWN, UNSPEC. The connection's own ends count then. */
	struct address source, destination;
	bool has_ends;
};

enum proxy_result {
	PROXY_WHOLE,
	PROXY_PARTIAL, /* right so far: more bytes are needed */
	PROXY_WRONG,   /* no such header, whatever may follow */
};

/*
 * Reads the header that `bytes` begin with. PROXY_WHOLE: `h` is filled, and *used is how many bytes
 * are its own. PROXY_WRONG: *why says why (static).
 */
enum proxy_result proxy_header_read(const void *bytes, size_t length, struct proxy_header *h,
				    size_t *used, const char **why);

/*
 * Writes a header of this version (1 or 2). Ends that are NULL, or of families that the version
 * cannot tell, become UNKNOWN (1) or LOCAL (2). Returns its length.
 */
size_t proxy_header_write(int version, const struct address *source,
			  const struct address *destination, void *out);

#endif
