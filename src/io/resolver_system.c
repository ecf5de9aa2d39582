/* The system's own rules: /etc/hosts, nsswitch, search domains, address order. No AI_ADDRCONFIG: it hides
 * loopback addresses on machines without a network, and an unreachable family costs a failed connect(), no
 * wait. */
#include "config.h"
#include "io/resolver_private.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

int resolver_getaddrinfo(const char *name, struct addr *out, size_t max, struct err *e)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
	char text[128];
	size_t n = 0;
	int rc = getaddrinfo(name, NULL, &hints, &list);

	if (rc != 0)
		return err_set(e, ERR_RESOLVE, "cannot resolve host name \"%s\": %s", name,
			       rc == EAI_SYSTEM ? strerror_r(errno, text, sizeof text) : gai_strerror(rc));
	for (const struct addrinfo *ai = list; ai && n < max; ai = ai->ai_next) {
		if ((ai->ai_family != AF_INET && ai->ai_family != AF_INET6) ||
		    ai->ai_addrlen > sizeof out[n].ss)
			continue;
		memset(&out[n], 0, sizeof out[n]);
		memcpy(&out[n].ss, ai->ai_addr, ai->ai_addrlen);
		out[n].len = ai->ai_addrlen;
		n++;
	}
	freeaddrinfo(list);
	return (int)n;
}
