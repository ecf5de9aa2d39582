/* The HTTP client made of libcurl's multi interface on an event loop. Names are looked up on libcurl's own
 * threads: nothing blocks the loop, cancelling included. TLS 1.2 or later, verified; HTTP/1.1; no redirects,
 * no cookies, no connection kept. What passes through libcurl's memory is wiped when that is freed.
 *
 * SIGPIPE must be ignored. */
#ifndef PGIAM_HTTP_HTTP_CURL_H
#define PGIAM_HTTP_HTTP_CURL_H

#include "base/err.h"
#include "http/http_client.h"
#include "io/loop.h"

/* Copied. */
struct http_curl_opts {
	const char *ca_file;     /* PEM; NULL: the system's */
	const char *https_proxy; /* for https:// URLs; NULL or "": none */
	const char *http_proxy;  /* for http:// URLs */
	const char *no_proxy;    /* hosts to reach without, as curl's NO_PROXY */
	const char *user_agent;
};

/* Requests at a time; more wait, and their time runs. */
#define HTTP_CURL_MAX_CONNECTIONS 32
/* Of an answer's status line and headers, proxy's included. */
#define HTTP_CURL_MAX_HEADER_BYTES 65536

/* NULL with e set if libcurl does not come up. */
struct http_client *http_curl_new(struct loop *l, const struct http_curl_opts *o, struct err *e);

#endif
