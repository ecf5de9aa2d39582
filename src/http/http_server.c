/* Every answer says "Connection: close": a scrape every few seconds gains nothing from a kept connection, and
 * one request a connection makes the limits in gate.c easy to reason about.
 *
 * evhttp keeps a request whose client has gone until it is answered (its connection is then NULL), and frees
 * it when the server goes: hence the list of requests that wait for an answer. */
#include "http/http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <strings.h>
#include <stdlib.h>
#include <sys/time.h>
#include "base/enc.h"
#include "base/mem.h"
#include "http/gate.h"
#include "http/host.h"
#include "io/addr.h"

#define ALL_METHODS                                                                                          \
	(EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |           \
	 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

struct http_server {
	struct loop *loop;
	struct evhttp *http;
	struct gate *gate;
	const char *const *host_names;
	const struct http_route *routes;
	size_t route_count;
	void *arg;
	struct list waiting; /* requests a handler has not answered */
};

struct http_request {
	struct list node;
	struct evhttp_request *ev; /* NULL once the server is gone */
	bool local;
};

static const struct reason {
	int status;
	const char *text;
} reasons[] = {
	{200, "OK"		   },
	{400, "Bad Request"          },
	{404, "Not Found"            },
	{405, "Method Not Allowed"   },
	{421, "Misdirected Request"  },
	{500, "Internal Server Error"},
	{503, "Service Unavailable"  },
};

static const char *reason_text(int status)
{
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "";
}

static void send_reply(struct evhttp_request *ev, int status, const char *content_type, struct slice body)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(ev);
	struct evbuffer *b = evbuffer_new();
	char length[32];

	/* HTTP/1.0 with keep-alive: evhttp would answer in kind beside our "close". */
	evhttp_remove_header(evhttp_request_get_input_headers(ev), "Connection");
	snprintf(length, sizeof length, "%zu", body.n);
	evhttp_add_header(h, "Content-Type", content_type);
	evhttp_add_header(h, "Content-Length", length);
	evhttp_add_header(h, "Cache-Control", "no-store");
	evhttp_add_header(h, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(h, "Connection", "close");
	if (status == 405)
		evhttp_add_header(h, "Allow", "GET, HEAD");
	if (b && evhttp_request_get_command(ev) != EVHTTP_REQ_HEAD)
		(void)evbuffer_add(b, body.p, body.n);
	evhttp_send_reply(ev, status, reason_text(status), b);
	if (b)
		evbuffer_free(b);
}

static void refuse(struct evhttp_request *ev, int status, const char *text)
{
	send_reply(ev, status, HTTP_TYPE_TEXT, slice_str(text));
}

void http_server_reply(struct http_request *rq, int status, const char *content_type, struct slice body)
{
	if (rq->ev)
		send_reply(rq->ev, status, content_type, body);
	list_del(&rq->node);
	free(rq);
}

/* The peer's address; false for a connection that is gone. */
static bool peer_addr(struct evhttp_request *ev, struct addr *a)
{
	struct evhttp_connection *c = evhttp_request_get_connection(ev);
	struct bufferevent *b = c ? evhttp_connection_get_bufferevent(c) : NULL;

	*a = (struct addr){.len = sizeof a->ss};
	return b && getpeername(bufferevent_getfd(b), (struct sockaddr *)&a->ss, &a->len) == 0;
}

/* The only Host header, or NULL. */
static const char *host_header(struct evhttp_request *ev)
{
	const struct evkeyval *kv;
	const char *found = NULL;

	for (kv = evhttp_request_get_input_headers(ev)->tqh_first; kv; kv = kv->next.tqe_next) {
		if (strcasecmp(kv->key, "Host") != 0)
			continue;
		if (found)
			return NULL;
		found = kv->value;
	}
	return found;
}

/* 0 if the request may be answered, else the status that refuses it. */
static int check_request(const struct http_server *s, struct evhttp_request *ev, const struct addr *peer)
{
	const char *uri = evhttp_request_get_uri(ev), *host = host_header(ev);
	enum evhttp_cmd_type cmd = evhttp_request_get_command(ev);

	if (host == NULL || uri == NULL || uri[0] != '/')
		return 400;
	/* No web page reaches a unix socket; clients put anything into Host there. */
	if (!addr_is_unix(peer)) {
		switch (host_check(slice_str(host), s->host_names)) {
		case HOST_OK: break;
		case HOST_BAD: return 400;
		case HOST_FOREIGN: return 421;
		}
	}
	return cmd == EVHTTP_REQ_GET || cmd == EVHTTP_REQ_HEAD ? 0 : 405;
}

static void on_request(struct evhttp_request *ev, void *arg)
{
	static const char *const texts[] = {"bad request\n", "not a name this server answers to\n",
					    "only GET and HEAD\n"};
	struct http_server *s = arg;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(ev);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	struct addr peer;

	if (!peer_addr(ev, &peer)) {
		refuse(ev, 400, "");
		return;
	}
	int status = check_request(s, ev, &peer);

	if (status) {
		refuse(ev, status, texts[status == 400 ? 0 : status == 421 ? 1 : 2]);
		return;
	}
	for (size_t i = 0; path && i < s->route_count; i++) {
		if (strcmp(path, s->routes[i].path) != 0)
			continue;
		struct http_request *rq = mem_zalloc(sizeof *rq);

		rq->ev = ev;
		rq->local = addr_is_loopback(&peer);
		list_add_tail(&s->waiting, &rq->node);
		s->routes[i].handle(s->arg, rq);
		return;
	}
	refuse(ev, 404, "not found\n");
}

struct http_server *http_server_new(struct loop *l, const struct http_server_opts *o,
				    const struct http_route *routes, size_t route_count, void *arg)
{
	struct http_server *s = mem_zalloc(sizeof *s);
	struct timeval idle = {.tv_sec = (time_t)(o->idle_us / CLOCK_US_PER_SEC),
			       .tv_usec = (suseconds_t)(o->idle_us % CLOCK_US_PER_SEC)};

	s->http = evhttp_new(loop_base(l));
	if (s->http == NULL) {
		free(s);
		return NULL;
	}
	s->loop = l;
	s->host_names = o->host_names;
	s->routes = routes;
	s->route_count = route_count;
	s->arg = arg;
	list_init(&s->waiting);
	evhttp_set_max_headers_size(s->http, (ev_ssize_t)o->max_header_bytes);
	evhttp_set_max_body_size(s->http, 0);
	evhttp_set_timeout_tv(s->http, &idle);
	evhttp_set_allowed_methods(s->http, ALL_METHODS); /* so that we can say 405 */
	evhttp_set_gencb(s->http, on_request, s);
	s->gate = gate_new(
		l, s->http,
		&(struct gate_opts){.max_connections = o->max_connections, .lifetime_us = o->lifetime_us});
	return s;
}

int http_server_listen(struct http_server *s, int fd, struct err *e)
{
	return gate_listen(s->gate, fd, e);
}

void http_server_free(struct http_server *s)
{
	if (s == NULL)
		return;
	list_each(it, tmp, &s->waiting)
	{
		struct http_request *rq = container_of(it, struct http_request, node);

		/* One whose client has gone belongs to nobody but us. */
		if (evhttp_request_get_connection(rq->ev) == NULL)
			evhttp_request_free(rq->ev);
		rq->ev = NULL;
		list_del(&rq->node);
	}
	gate_close(s->gate);
	evhttp_free(s->http);
	gate_free(s->gate);
	free(s);
}

bool http_server_query(const struct http_request *rq, const char *name, struct buf *out)
{
	const struct evhttp_uri *uri = rq->ev ? evhttp_request_get_evhttp_uri(rq->ev) : NULL;
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	struct evkeyvalq pairs;
	bool found = false;

	if (query == NULL || evhttp_parse_query_str(query, &pairs) < 0)
		return false;
	const char *value = evhttp_find_header(&pairs, name);

	if (value)
		found = enc_is_utf8(slice_str(value)) && buf_add_str(out, value) == 0;
	evhttp_clear_headers(&pairs);
	return found;
}

bool http_server_is_local(const struct http_request *rq)
{
	return rq->local;
}
