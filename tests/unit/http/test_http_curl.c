/* The HTTP client against a server that behaves as told. */
#include "config.h"
#include "serve.h"

#include <netdb.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/ssl.h>
#include "base/buf.h"
#include "base/mem.h"
#include "http/http_curl.h"

#define SEC UINT64_C(1000000)

/* libcurl looks names up with this one: "stuck.test" takes long, everything else does not exist. */
static atomic_int lookups;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	(void)service;
	(void)hints;
	*out = NULL;
	atomic_fetch_add(&lookups, 1);
	if (strcmp(name, "stuck.test") == 0)
		usleep(1500000);
	return EAI_NONAME;
}

struct fixture {
	struct loop *loop;
	struct http_client *client;
	struct kit_tls tls;
	/* of the last answer */
	unsigned times;
	enum http_fault fault;
	int status;
	bool verified;
	char why[256], date[64];
	size_t body_n;
	char body[256];
};

static void client(struct fixture *f, const struct http_curl_opts *o)
{
	struct http_curl_opts opts = o ? *o : (struct http_curl_opts){0};
	struct err e;

	http_client_free(f->client);
	opts.user_agent = "pgiam-test";
	f->client = http_curl_new(f->loop, &opts, &e);
	assert_non_null(f->client);
}

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	signal(SIGPIPE, SIG_IGN);
	f->loop = kit_loop();
	client(f, NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_client_free(f->client);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void hear(void *arg, const struct http_reply *r)
{
	struct fixture *f = arg;

	f->times++;
	f->fault = r->fault;
	f->status = r->status;
	f->verified = r->verified;
	f->body_n = r->body.n;
	snprintf(f->why, sizeof(f->why), "%s", r->why);
	snprintf(f->body, sizeof(f->body), "%.*s", SLICE_FMT(r->body));
	snprintf(f->date, sizeof(f->date), "%.*s", SLICE_FMT(r->header[HTTP_REPLY_DATE]));
	assert_int_equal(r->fault != HTTP_FAULT_NONE, r->why[0] != '\0');
}

static struct http_call get(const char *url)
{
	return (struct http_call){
		.method = "GET",
		.url = url,
		.connect_us = 5 * SEC,
		.total_us = 5 * SEC,
		.max_reply_bytes = 1000,
		.allow_http = true,
	};
}

static void ask(struct fixture *f, const struct http_call *call)
{
	f->times = 0;
	http_client_start(f->client, call, hear, f);
	assert_int_equal(f->times, 0);
	kit_until(f->loop, f->times);
	kit_for(f->loop, 30000);
	assert_int_equal(f->times, 1);
}

static void answers(void **state)
{
	struct fixture *f = *state;
	struct serve s = {.reply = "HTTP/1.1 418 Teapot\r\nDate: Thu, 15 Jan 2026 12:34:56 GMT\r\n"
				   "Content-Length: 5\r\n\r\nhello"};
	struct http_header headers[] = {
		{"X-Token",      slice_str("t")     },
                {"Content-Type", slice_str("text/x")}
        };
	struct http_call call;

	serve_start(&s, "/a/../b?c=%2F");
	call = get(s.url);
	call.method = "PUT";
	call.headers = headers;
	call.header_count = 2;
	call.body = slice_str("body\r\n");
	ask(f, &call);
	serve_stop(&s);
	assert_int_equal(f->fault, HTTP_FAULT_NONE);
	assert_int_equal(f->status, 418);
	assert_false(f->verified);
	assert_string_equal(f->body, "hello");
	assert_string_equal(f->date, "Thu, 15 Jan 2026 12:34:56 GMT");
	assert_int_equal(strncmp(s.request, "PUT /a/../b?c=%2F HTTP/1.1\r\n", 28), 0);
	assert_non_null(strstr(s.request, "X-Token: t\r\n"));
	assert_non_null(strstr(s.request, "Content-Type: text/x\r\n"));
	assert_non_null(strstr(s.request, "Content-Length: 6\r\n"));
	assert_non_null(strstr(s.request, "User-Agent: pgiam-test\r\n"));
	assert_non_null(strstr(s.request, "\r\n\r\nbody\r\n"));
	assert_null(strstr(s.request, "Expect"));
	assert_null(strstr(s.request, "urlencoded"));
}

/* An empty body is sent as one, and nothing about it is made up. */
static void empty_body(void **state)
{
	struct fixture *f = *state;
	struct serve s = {.reply = "HTTP/1.1 204 No\r\n\r\n"};
	struct http_call call;

	serve_start(&s, "/");
	call = get(s.url);
	call.method = "PUT";
	ask(f, &call);
	serve_stop(&s);
	assert_int_equal(f->status, 204);
	assert_int_equal(f->body_n, 0);
	assert_non_null(strstr(s.request, "Content-Length: 0\r\n"));
	assert_null(strstr(s.request, "Content-Type"));
}

/* Redirects are an answer. */
static void redirect(void **state)
{
	struct fixture *f = *state;
	struct serve s = {
		.reply = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"};
	struct http_call call;

	serve_start(&s, "/");
	call = get(s.url);
	ask(f, &call);
	serve_stop(&s);
	assert_int_equal(f->status, 302);
}

static void limits(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *reply;
		size_t filler;
		enum http_fault fault;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",                            1000, HTTP_FAULT_NONE     },
		{"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",                            1001, HTTP_FAULT_TOO_LARGE},
		{"HTTP/1.1 200 OK\r\n\r\n",						    1001, HTTP_FAULT_TOO_LARGE},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",                            999,  HTTP_FAULT_CLOSED   },
		{"SSH-2.0-OpenSSH\r\n",							0,    HTTP_FAULT_PROTOCOL },
		{"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd", 0,
		 HTTP_FAULT_NONE											 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct serve s = {.reply = cases[i].reply, .filler = cases[i].filler};
		struct http_call call;

		serve_start(&s, "/");
		call = get(s.url);
		ask(f, &call);
		serve_stop(&s);
		if (f->fault != cases[i].fault)
			fail_msg("case %zu: fault %d: %s", i, (int)f->fault, f->why);
	}
}

/* Headers as well, in sum. */
static void many_headers(void **state)
{
	struct fixture *f = *state;
	char *line = mem_printf("X-Header: %0990d\r\n", 0);
	struct buf reply;

	buf_init(&reply, 1000000);
	for (unsigned n = 60; n <= 70; n += 10) {
		struct serve s = {0};
		struct http_call call;

		buf_clear(&reply);
		buf_add_str(&reply, "HTTP/1.1 200 OK\r\n");
		for (unsigned i = 0; i < n; i++)
			buf_add_str(&reply, line);
		buf_add_str(&reply, "Content-Length: 0\r\n\r\n");
		s.reply = buf_cstr(&reply);
		serve_start(&s, "/");
		call = get(s.url);
		ask(f, &call);
		serve_stop(&s);
		assert_int_equal(f->fault, n == 60 ? HTTP_FAULT_NONE : HTTP_FAULT_TOO_LARGE);
	}
	buf_free(&reply);
	free(line);
}

static void faults(void **state)
{
	struct fixture *f = *state;
	struct serve silent = {0}, dropping = {.drop = true};
	struct addr a;
	struct http_call call;
	char url[64];
	uint64_t begin = kit_now_us();
	int fd;

	serve_start(&silent, "/");
	call = get(silent.url);
	call.total_us = 200000;
	ask(f, &call);
	assert_int_equal(f->fault, HTTP_FAULT_TIMEOUT);
	assert_in_range(kit_now_us() - begin, 200000, 2 * SEC);
	serve_stop(&silent);

	serve_start(&dropping, "/");
	call = get(dropping.url);
	ask(f, &call);
	assert_int_equal(f->fault, HTTP_FAULT_CLOSED);
	serve_stop(&dropping);

	fd = kit_listen(&a, "127.0.0.1", 1);
	close(fd);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", addr_port(&a));
	call = get(url);
	ask(f, &call);
	assert_int_equal(f->fault, HTTP_FAULT_CONNECT);

	call = get("http://nowhere.test/");
	ask(f, &call);
	assert_int_equal(f->fault, HTTP_FAULT_RESOLVE);
	assert_non_null(strstr(f->why, "nowhere.test"));
}

/* What never reaches the network. */
static void refused_requests(void **state)
{
	struct fixture *f = *state;
	struct http_header split = {"X-Token", slice_str("a\r\nX-Evil: 1")};
	static const char *const urls[] = {"file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/",
					   "http://", ""};
	struct http_call call;

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		call = get(urls[i]);
		ask(f, &call);
		assert_int_equal(f->fault, HTTP_FAULT_REQUEST);
	}
	call = get("http://127.0.0.1:1/");
	call.allow_http = false;
	ask(f, &call);
	assert_int_equal(f->fault, HTTP_FAULT_REQUEST);
	call = get("http://127.0.0.1:1/");
	call.headers = &split;
	call.header_count = 1;
	ask(f, &call);
	assert_int_equal(f->fault, HTTP_FAULT_REQUEST);
}

static bool nowhere(const struct sockaddr *to)
{
	(void)to;
	return false;
}

static void may_connect(void **state)
{
	struct fixture *f = *state;
	struct http_call call = get("http://127.0.0.1:1/");

	call.may_connect = nowhere;
	ask(f, &call);
	assert_int_equal(f->fault, HTTP_FAULT_FORBIDDEN);
}

/* A name that takes 1.5 s to look up holds up neither time-outs nor cancelling nor freeing. */
static void stuck_lookup(void **state)
{
	struct fixture *f = *state;
	struct http_call call = get("http://stuck.test/");
	struct http_op *op;
	int before = atomic_load(&lookups);
	uint64_t begin = kit_now_us();

	call.total_us = 100000;
	ask(f, &call);
	assert_int_equal(f->fault, HTTP_FAULT_CONNECT_TIMEOUT);
	call.total_us = 5 * SEC;
	f->times = 0;
	op = http_client_start(f->client, &call, hear, f);
	kit_until(f->loop, atomic_load(&lookups) >= before + 2);
	http_client_cancel(op);
	http_client_cancel(NULL);
	client(f, NULL);
	assert_true(kit_now_us() - begin < SEC);
	assert_int_equal(f->times, 0);
	usleep(1700000); /* the threads clean up after themselves: for the leak checker */
}

static void meddle(void *arg, const struct http_reply *r)
{
	struct http_op **other = arg;

	(void)r;
	http_client_cancel(*other);
	*other = NULL;
}

/* Cancelling from another's callback; cancelled ones never call. */
static void cancelling(void **state)
{
	struct fixture *f = *state;
	struct http_op *victim;
	struct http_call call = get("http://127.0.0.1:1/");

	f->times = 0;
	http_client_start(f->client, &call, meddle, &victim);
	victim = http_client_start(f->client, &call, hear, f);
	kit_until(f->loop, !victim);
	kit_for(f->loop, 50000);
	assert_int_equal(f->times, 0);
	victim = http_client_start(f->client, &call, hear, f);
	http_client_cancel(victim); /* before anything happened */
	kit_for(f->loop, 50000);
	assert_int_equal(f->times, 0);
}

/* ---- proxies ---- */

static void proxies(void **state)
{
	struct fixture *f = *state;
	struct serve proxy = {.reply = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", .connections = 2};
	struct serve origin = {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", .connections = 2};
	struct http_curl_opts o = {.no_proxy = "127.0.0.2"};
	struct http_call call;

	serve_start(&proxy, "");
	serve_start(&origin, "/");
	setenv("http_proxy", "http://127.0.0.1:1/", 1); /* only options count */
	setenv("NO_PROXY", "*", 1);
	o.https_proxy = o.http_proxy = proxy.url;
	client(f, &o);
	call = get("https://example.test/");
	ask(f, &call);
	assert_int_equal(f->fault, HTTP_FAULT_PROXY); /* it said 403 to CONNECT */
	assert_non_null(strstr(f->why, "403"));
	call = get(origin.url);
	ask(f, &call); /* through the proxy */
	assert_int_equal(f->status, 403);
	call.direct = true;
	ask(f, &call);
	assert_int_equal(f->status, 200);
	o.no_proxy = "127.0.0.1";
	client(f, &o);
	call.direct = false;
	ask(f, &call);
	assert_int_equal(f->status, 200);
	unsetenv("http_proxy");
	unsetenv("NO_PROXY");
	serve_stop(&proxy);
	serve_stop(&origin);
	assert_non_null(strstr(proxy.request, "GET http://127.0.0.1:"));
}

/* A proxy's URL holds a password, and a bad one is in the environment as easily as a good one. */
static void bad_proxy_is_not_repeated(void **state)
{
	static const char *const bad[] = {
		"foo://user:S3cret@127.0.0.1:1", "http://user:S3cret@127.0.0.1:99999", "http://user:S3 cret@127.0.0.1:1",
		"http://user:/S3cret@127.0.0.1:1", "http://user:x@S3cret@127.0.0.1:1",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct http_curl_opts o = {.https_proxy = bad[i]};
		struct http_call call = get("https://example.test/");

		client(f, &o);
		ask(f, &call);
		assert_int_not_equal(f->fault, HTTP_FAULT_NONE);
		if (strstr(f->why, "S3"))
			fail_msg("%s", f->why);
	}
}

/* ---- TLS ---- */

static SSL_CTX *server_ctx(const struct kit_cert *cert, int max_version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ctx, max_version);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert->x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, cert->key), 1);
	return ctx;
}

static void tls(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *san;
		int from_days, to_days, max_version;
		bool known_ca;
		enum http_fault fault;
	} cases[] = {
		{"IP:127.0.0.1", -1, 30, 0,              true,  HTTP_FAULT_NONE      },
		{"IP:127.0.0.1", -1, 30, TLS1_2_VERSION, true,  HTTP_FAULT_NONE      },
		{"IP:127.0.0.1", -1, 30, TLS1_1_VERSION, true,  HTTP_FAULT_TLS       },
		{"IP:127.0.0.2", -1, 30, 0,              true,  HTTP_FAULT_TLS_VERIFY},
		{"IP:127.0.0.1", -9, -1, 0,              true,  HTTP_FAULT_TLS_VERIFY},
		{"IP:127.0.0.1", -1, 30, 0,              false, HTTP_FAULT_TLS_VERIFY},
	};
	struct kit_cert ca = kit_cert_new(&(struct kit_cert_opts){.cn = "CA", .ca = true}, NULL);
	char *dir = kit_dir_new(), *ca_file = kit_write_cert(dir, "ca.pem", &ca);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kit_cert cert = kit_cert_new(&(struct kit_cert_opts){.cn = "server",
									    .san = cases[i].san,
									    .from_days = cases[i].from_days,
									    .to_days = cases[i].to_days},
						    &ca);
		struct serve s = {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
		struct http_call call;

		s.tls = server_ctx(&cert, cases[i].max_version);
		client(f, &(struct http_curl_opts){.ca_file = cases[i].known_ca ? ca_file : NULL});
		serve_start(&s, "/");
		call = get(s.url);
		call.allow_http = false;
		ask(f, &call);
		serve_stop(&s);
		if (f->fault != cases[i].fault)
			fail_msg("case %zu: fault %d: %s", i, (int)f->fault, f->why);
		assert_int_equal(f->verified, f->fault == HTTP_FAULT_NONE);
		/* nothing was said to whom was not trusted */
		assert_int_equal(s.request[0] != '\0', f->fault == HTTP_FAULT_NONE);
		SSL_CTX_free(s.tls);
		kit_cert_free(&cert);
	}
	kit_cert_free(&ca);
	free(ca_file);
	kit_dir_free(dir);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(answers),      T(empty_body), T(redirect),         T(limits),
		T(many_headers), T(faults),     T(refused_requests), T(may_connect),
		T(stuck_lookup), T(cancelling), T(proxies), T(bad_proxy_is_not_repeated), T(tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
