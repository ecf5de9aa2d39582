/* Which Host headers may be answered. A web page can make a browser send requests to a loopback port under
 * the page's own name (DNS rebinding) and read the answers; what it cannot do is forge the Host header. So a
 * name must be one of ours. An address is always fine: there is no name in it that somebody else's DNS could
 * turn. Spec: RFC 9110 section 7.2. */
#ifndef PGIAM_HTTP_HOST_H
#define PGIAM_HTTP_HOST_H

#include "base/slice.h"

enum host_verdict {
	HOST_OK,
	HOST_BAD,     /* not a host at all: 400 */
	HOST_FOREIGN, /* somebody else's name: 421 */
};

/* value: of the Host header, "name[:port]", "1.2.3.4[:port]" or "[::1][:port]"; the port is not looked at.
 * names: more names that are ours besides "localhost", NULL-terminated, or NULL. */
enum host_verdict host_check(struct slice value, const char *const *names);

#endif
