/* Read-only HTTP for metrics and probes: GET and HEAD, one request a connection, small limits. libevent's
 * evhttp reads and writes HTTP and is seen nowhere else.
 *
 * What evhttp does on its own, before a handler is asked: 400 for what is no HTTP or has too many bytes of
 * headers, 413 for a body. What is done here: 400 for a missing, doubled or malformed Host and for a target
 * that is no path, 421 for a Host that is not ours, 404, 405. SIGPIPE must be ignored. */
#ifndef PGIAM_HTTP_HTTP_SERVER_H
#define PGIAM_HTTP_HTTP_SERVER_H

#include "base/buf.h"
#include "io/loop.h"

struct http_server;
struct http_request;

struct http_server_opts {
	const char *const
		*host_names; /* ours besides "localhost" and addresses; NULL-terminated, or NULL; borrowed */
	unsigned max_connections; /* when there are more, the oldest is closed */
	size_t max_header_bytes;  /* request line and headers */
	uint64_t idle_us;         /* without a byte read or written */
	uint64_t lifetime_us;     /* of a connection in all; a handler must be quicker */
};

/* The handler answers with http_server_reply, now or later. */
struct http_route {
	const char *path; /* exact */
	void (*handle)(void *arg, struct http_request *rq);
};

/* routes are borrowed for the server's life; arg is handed to every handler. */
struct http_server *http_server_new(struct loop *l, const struct http_server_opts *o,
				    const struct http_route *routes, size_t route_count, void *arg);

/* Closes every connection. Requests not answered yet stay valid until http_server_reply, which then only
 * frees. */
void http_server_free(struct http_server *s);

/* Accepts on a borrowed listening descriptor (io/listener.h). */
int http_server_listen(struct http_server *s, int fd, struct err *e);

/* Ends a request: exactly once each. The body is copied; HEAD leaves it out. If the client has gone meanwhile
 * nothing is sent. */
void http_server_reply(struct http_request *rq, int status, const char *content_type, struct slice body);

/* The value of a query parameter, decoded, added to out. False if it is not there, not UTF-8, or out is too
 * small. */
bool http_server_query(const struct http_request *rq, const char *name, struct buf *out);

/* Is the client on this machine (loopback, unix socket)? What an error says in full is for those only. */
bool http_server_is_local(const struct http_request *rq);

#define HTTP_TYPE_TEXT "text/plain; charset=utf-8"
#define HTTP_TYPE_JSON "application/json"

#endif
