/* The parts of an http or https URL of an endpoint. Stricter than RFC 3986, so that no two readers can see
 * two hosts in one text: no user, no fragment, no escapes in the host. Pure. */
#ifndef PGIAM_AWS_URL_H
#define PGIAM_AWS_URL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

#define URL_HOST_SIZE 256

struct url {
	bool https;
	char host[URL_HOST_SIZE]; /* lower case; an IPv6 literal without its brackets */
	bool ipv6;                /* the host is an IPv6 literal */
	uint16_t port;            /* the scheme's own if the URL has none */
	const char *path;         /* with the query; points into the text; "" if there is none */
};

/* what names the setting in the message. The text is borrowed by out. ERR_CREDENTIALS. */
int url_parse(const char *text, const char *what, struct url *out, struct err *e);

/* The Host header: "host", "host:8080", "[::1]:8080"; the port is left out if it is the scheme's own. */
#define URL_AUTHORITY_SIZE (URL_HOST_SIZE + 10)
void url_authority(const struct url *u, char out[URL_AUTHORITY_SIZE]);

/* Is it "localhost" or a loopback address? */
bool url_is_loopback(const struct url *u);

#endif
