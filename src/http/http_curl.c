/* libcurl says which descriptors and which moment it waits for; the loop tells it when they come. Nothing of
 * ours is called from inside libcurl but the collecting of bytes: an operation that ended is answered from
 * its own deferred call, so that a callback may start, cancel and free what it likes.
 *
 * Connections are not kept: a request is rare (a refresh every few minutes), and a kept connection would keep
 * the credentials that passed through its buffers. */
#include "http/http_curl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <curl/curl.h>
#include <event2/event.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/mem_hooks.h"
#include "io/tls.h"

struct http_curl {
	struct http_client base;
	struct loop *loop;
	CURLM *multi;
	struct timer timer; /* the moment libcurl waits for */
	struct defer now;   /* the same, if that is at once */
	char *ca_file, *https_proxy, *http_proxy, *no_proxy, *user_agent;
};

struct http_curl_op {
	struct http_op base;
	CURL *easy;
	struct curl_slist *headers;
	struct defer defer; /* answers */
	struct buf body;
	size_t header_bytes;
	bool (*may_connect)(const struct sockaddr *to);
	enum http_fault fault; /* known before libcurl has a name for it */
	char why[CURL_ERROR_SIZE];
	http_client_cb cb;
	void *arg;
};

static struct http_curl *client_of(struct http_op *op)
{
	return (struct http_curl *)op->client;
}

/* ---- what happened ---- */

static const struct {
	CURLcode code;
	enum http_fault fault;
} faults[] = {
	{CURLE_OK,		       HTTP_FAULT_NONE      },
	{CURLE_URL_MALFORMAT,            HTTP_FAULT_REQUEST   },
	{CURLE_UNSUPPORTED_PROTOCOL,     HTTP_FAULT_REQUEST   },
	{CURLE_COULDNT_RESOLVE_HOST,     HTTP_FAULT_RESOLVE   },
	{CURLE_COULDNT_RESOLVE_PROXY,    HTTP_FAULT_PROXY     },
	{CURLE_PROXY,                    HTTP_FAULT_PROXY     },
	{CURLE_COULDNT_CONNECT,          HTTP_FAULT_CONNECT   },
	{CURLE_SSL_CONNECT_ERROR,        HTTP_FAULT_TLS       },
	{CURLE_SSL_CIPHER,               HTTP_FAULT_TLS       },
	{CURLE_PEER_FAILED_VERIFICATION, HTTP_FAULT_TLS_VERIFY},
	{CURLE_SSL_CACERT_BADFILE,       HTTP_FAULT_TLS_VERIFY},
	{CURLE_SSL_ISSUER_ERROR,         HTTP_FAULT_TLS_VERIFY},
	{CURLE_FILESIZE_EXCEEDED,        HTTP_FAULT_TOO_LARGE },
	{CURLE_GOT_NOTHING,              HTTP_FAULT_CLOSED    },
	{CURLE_SEND_ERROR,               HTTP_FAULT_CLOSED    },
	{CURLE_RECV_ERROR,               HTTP_FAULT_CLOSED    },
	{CURLE_PARTIAL_FILE,             HTTP_FAULT_CLOSED    },
};

static enum http_fault fault_of(struct http_curl_op *op, CURLcode code)
{
	curl_off_t connected_us = 0;
	long proxy_said = 0;

	/* One address may have been forbidden and the next have answered. */
	if (op->fault != HTTP_FAULT_NONE && code != CURLE_OK)
		return op->fault;
	curl_easy_getinfo(op->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return connected_us > 0 ? HTTP_FAULT_TIMEOUT : HTTP_FAULT_CONNECT_TIMEOUT;
	if (code == CURLE_UNSUPPORTED_PROTOCOL && connected_us > 0)
		return HTTP_FAULT_PROTOCOL; /* not of the URL: an answer without a status line */
	curl_easy_getinfo(op->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_said);
	if (code != CURLE_OK && proxy_said != 0 && proxy_said / 100 != 2)
		return HTTP_FAULT_PROXY; /* to CONNECT: libcurl calls it a failure to receive */
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (faults[i].code == code)
			return faults[i].fault;
	}
	return HTTP_FAULT_PROTOCOL;
}

/* libcurl repeats a proxy's URL that it cannot read, password and all. The request's own URL has none (aws/url.h). */
static bool tells_password(const char *why)
{
	return strncmp(why, "Unsupported proxy", 17) == 0 || strchr(why, '@');
}

static void ended(struct http_curl_op *op, CURLcode code)
{
	op->fault = fault_of(op, code);
	if (tells_password(op->why)) {
		mem_wipe(op->why, sizeof(op->why));
		op->fault = HTTP_FAULT_PROXY;
		snprintf(op->why, sizeof(op->why), "the proxy's URL is none that can be used");
	}
	if (op->fault != HTTP_FAULT_NONE && !op->why[0])
		snprintf(op->why, sizeof(op->why), "%s", curl_easy_strerror(code));
	defer_set(&op->defer);
}

/* ---- between libcurl and the loop ---- */

static void harvest(struct http_curl *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left))) {
		char *op = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &op);
		ended((struct http_curl_op *)(void *)op, m->data.result);
	}
}

static void on_time(void *arg)
{
	struct http_curl *c = arg;
	int running;

	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	harvest(c);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct http_curl *c = arg;
	int bits = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(c->multi, fd, bits, &running);
	harvest(c);
}

static int want_time(CURLM *multi, long ms, void *arg)
{
	struct http_curl *c = arg;

	(void)multi;
	timer_clear(&c->timer);
	defer_clear(&c->now);
	if (ms == 0)
		defer_set(&c->now);
	else if (ms > 0)
		timer_set(&c->timer, (uint64_t)ms * CLOCK_US_PER_MS);
	return 0;
}

static int want_fd(CURL *easy, curl_socket_t fd, int what, void *arg, void *fd_arg)
{
	struct http_curl *c = arg;
	struct event *ev = fd_arg;
	short bits = EV_PERSIST;

	(void)easy;
	if (ev)
		event_free(ev); /* deletes it */
	if (what == CURL_POLL_REMOVE) {
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (what != CURL_POLL_OUT)
		bits |= EV_READ;
	if (what != CURL_POLL_IN)
		bits |= EV_WRITE;
	ev = event_new(loop_base(c->loop), fd, bits, on_ready, c);
	curl_multi_assign(c->multi, fd, ev);
	return ev && event_add(ev, NULL) == 0 ? 0 : -1;
}

/* Descriptors do not leak into child processes, and go nowhere they must not. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct http_curl_op *op = arg;

	(void)purpose;
	if (op->may_connect && !op->may_connect(&to->addr)) {
		op->fault = HTTP_FAULT_FORBIDDEN; /* unless another address is allowed, and answers */
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static size_t take_header(char *p, size_t size, size_t n, void *arg)
{
	struct http_curl_op *op = arg;

	(void)p;
	(void)size; /* 1 */
	if (n > HTTP_CURL_MAX_HEADER_BYTES - op->header_bytes) {
		op->fault = HTTP_FAULT_TOO_LARGE;
		return 0;
	}
	op->header_bytes += n;
	return n;
}

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_curl_op *op = arg;

	(void)size; /* 1 */
	if (buf_add(&op->body, p, n) == 0)
		return n;
	op->fault = HTTP_FAULT_TOO_LARGE;
	return 0;
}

/* ---- one request ---- */

static void op_free(struct http_curl_op *op)
{
	if (op->easy) {
		curl_multi_remove_handle(client_of(&op->base)->multi, op->easy);
		curl_easy_cleanup(op->easy);
	}
	curl_slist_free_all(op->headers);
	defer_clear(&op->defer);
	buf_free(&op->body);
	free(op);
}

static void answer(void *arg)
{
	struct http_curl_op *op = arg;
	struct http_reply r = {.fault = op->fault, .why = op->why};
	char *url = NULL;
	long status = 0;

	if (op->fault == HTTP_FAULT_NONE) {
		curl_easy_getinfo(op->easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(op->easy, CURLINFO_SCHEME, &url);
		r.status = (int)status;
		r.verified = url && strcasecmp(url, "https") == 0;
		r.body = buf_slice(&op->body);
		r.why = "";
		for (int i = 0; i < HTTP_REPLY_COUNT; i++) {
			struct curl_header *h;

			if (curl_easy_header(op->easy, http_client_header_name((enum http_reply_header)i), 0,
					     CURLH_HEADER, -1, &h) == CURLHE_OK)
				r.header[i] = slice_str(h->value);
		}
	}
	op->cb(op->arg, &r);
	op_free(op);
}

static bool is_clean(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	}
	return true;
}

static int add_header(struct http_curl_op *op, const char *name, struct slice value)
{
	struct buf line;
	struct curl_slist *more = NULL;

	buf_init_secret(&line, 65536);
	buf_printf(&line, value.n ? "%s: " : "%s;", name);
	buf_add_slice(&line, value);
	if (!line.full && is_clean(buf_slice(&line)))
		more = curl_slist_append(op->headers, buf_cstr(&line));
	buf_free(&line);
	if (!more)
		return -1;
	op->headers = more;
	return 0;
}

static int set_headers(struct http_curl_op *op, const struct http_call *call)
{
	struct curl_slist *more;
	bool typed = false;

	for (size_t i = 0; i < call->header_count; i++) {
		typed = typed || strcasecmp(call->headers[i].name, "content-type") == 0;
		if (add_header(op, call->headers[i].name, call->headers[i].value) != 0)
			return -1;
	}
	/* What libcurl would add by itself. */
	more = curl_slist_append(op->headers, "Expect:");
	if (more && !typed)
		more = curl_slist_append(op->headers = more, "Content-Type:");
	op->headers = more ? more : op->headers;
	return more ? 0 : -1;
}

static void set_body(CURL *easy, const struct http_call *call)
{
	if (strcmp(call->method, "GET") == 0) {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
	curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, call->body.n ? (const char *)call->body.p : "");
}

static long milliseconds(uint64_t us)
{
	uint64_t ms = us / CLOCK_US_PER_MS;

	return ms > 3600000 ? 3600000 : ms ? (long)ms : 1; /* 0 would mean libcurl's own, long, limit */
}

static void set_limits(CURL *easy, const struct http_call *call)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* ending does not wait for a name being looked up */
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(call->connect_us));
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(call->total_us));
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)call->max_reply_bytes);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, call->allow_http ? "http,https" : "https");
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* what was signed is what is sent */
}

static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *arg)
{
	(void)easy;
	(void)arg;
	tls_wipe_what_was_read(ssl_ctx);
	return CURLE_OK;
}

/* Is the context that libcurl hands over one of OpenSSL's? */
static bool curl_has_openssl(void)
{
	const char *ssl = curl_version_info(CURLVERSION_NOW)->ssl_version;

	return ssl && strncmp(ssl, "OpenSSL/", 8) == 0;
}

static void set_trust(struct http_curl *c, CURL *easy)
{
	if (curl_has_openssl())
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (c->ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, c->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, c->ca_file);
		curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
	}
}

/* An empty string, and not NULL, which would have libcurl read the process's environment. */
static void set_proxy(struct http_curl *c, CURL *easy, const struct http_call *call)
{
	const char *proxy = strncasecmp(call->url, "https:", 6) == 0 ? c->https_proxy : c->http_proxy;

	curl_easy_setopt(easy, CURLOPT_PROXY, call->direct || !proxy ? "" : proxy);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, call->direct ? "*" : c->no_proxy ? c->no_proxy : "");
}

static int op_make(struct http_curl_op *op, const struct http_call *call)
{
	struct http_curl *c = client_of(&op->base);
	CURL *easy = op->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, op);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, op->why);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, op);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, op);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, op);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, c->user_agent);
	set_limits(easy, call);
	set_trust(c, easy);
	set_proxy(c, easy, call);
	set_body(easy, call);
	if (curl_easy_setopt(easy, CURLOPT_URL, call->url) != CURLE_OK || set_headers(op, call) != 0)
		return -1;
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, op->headers);
	return curl_multi_add_handle(c->multi, easy) == CURLM_OK ? 0 : -1;
}

static struct http_op *start(struct http_client *base, const struct http_call *call, http_client_cb cb,
			     void *arg)
{
	struct http_curl *c = (struct http_curl *)base;
	struct http_curl_op *op = mem_zalloc(sizeof(*op));

	op->base.client = base;
	op->may_connect = call->may_connect;
	op->cb = cb;
	op->arg = arg;
	buf_init_secret(&op->body, call->max_reply_bytes);
	defer_init(&op->defer, c->loop, answer, op);
	op->easy = curl_easy_init();
	if (!op->easy || op_make(op, call) != 0) {
		op->fault = HTTP_FAULT_REQUEST;
		snprintf(op->why, sizeof(op->why), "the request cannot be made");
		defer_set(&op->defer);
	}
	return &op->base;
}

static void cancel(struct http_op *op)
{
	op_free((struct http_curl_op *)op);
}

/* ---- the client ---- */

static void client_free(struct http_client *base)
{
	struct http_curl *c = (struct http_curl *)base;

	if (c->multi)
		curl_multi_cleanup(c->multi);
	timer_clear(&c->timer);
	defer_clear(&c->now);
	curl_global_cleanup();
	free(c->ca_file);
	mem_free_str_wipe(c->https_proxy); /* a proxy's URL may hold a password */
	mem_free_str_wipe(c->http_proxy);
	free(c->no_proxy);
	free(c->user_agent);
	free(c);
}

static const struct http_client_ops ops = {.start = start, .cancel = cancel, .free = client_free};

struct http_client *http_curl_new(struct loop *l, const struct http_curl_opts *o, struct err *e)
{
	struct http_curl *c;

	if (curl_global_init_mem(CURL_GLOBAL_ALL, mem_hooks_malloc, mem_hooks_free, mem_hooks_realloc,
				 mem_hooks_strdup, mem_hooks_calloc) != CURLE_OK) {
		err_set(e, ERR_INTERNAL, "libcurl cannot be used");
		return NULL;
	}
	c = mem_zalloc(sizeof(*c));
	c->base.ops = &ops;
	c->loop = l;
	timer_init(&c->timer, l, on_time, c);
	defer_init(&c->now, l, on_time, c);
	c->ca_file = mem_strdup(o->ca_file);
	c->https_proxy = mem_strdup(o->https_proxy);
	c->http_proxy = mem_strdup(o->http_proxy);
	c->no_proxy = mem_strdup(o->no_proxy);
	c->user_agent = mem_strdup(o->user_agent);
	c->multi = curl_multi_init();
	if (!c->multi) {
		client_free(&c->base);
		err_set(e, ERR_INTERNAL, "libcurl cannot be used");
		return NULL;
	}
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, want_fd);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, want_time);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)HTTP_CURL_MAX_CONNECTIONS);
	return &c->base;
}
