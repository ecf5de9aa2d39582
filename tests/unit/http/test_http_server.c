/* The server over a real loopback socket: what is answered, what is refused, and what hostile clients can do
 * to it. */
#include <signal.h>
#include <stdio.h>
#include "unit/http/ask.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "http/http_server.h"

#define MAX_CONNECTIONS 4
#define MAX_HEADER      1024
#define IDLE_US         300000
#define LIFETIME_US     700000

struct fixture {
	struct loop *loop;
	struct http_server *server;
	struct addr addr;
	int fd;
	unsigned handled;
	struct http_request *held; /* /later keeps it */
	char query[64];
	char text[65536];
};

static void on_hello(void *arg, struct http_request *rq)
{
	struct fixture *f = arg;
	struct buf b;

	f->handled++;
	buf_init(&b, 32);
	snprintf(f->query, sizeof f->query, "%s", http_server_query(rq, "x", &b) ? buf_cstr(&b) : "-");
	buf_free(&b);
	assert_true(http_server_is_local(rq));
	http_server_reply(rq, 200, HTTP_TYPE_TEXT, slice_str("hello\n"));
}

static void on_later(void *arg, struct http_request *rq)
{
	struct fixture *f = arg;

	f->handled++;
	f->held = rq;
}

static const struct http_route routes[] = {
	{"/hello", on_hello},
        {"/later", on_later}
};

static int setup(void **state)
{
	static const char *const names[] = {"metrics.example", NULL};
	const struct http_server_opts o = {.host_names = names,
					   .max_connections = MAX_CONNECTIONS,
					   .max_header_bytes = MAX_HEADER,
					   .idle_us = IDLE_US,
					   .lifetime_us = LIFETIME_US};
	struct fixture *f = calloc(1, sizeof *f);
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	f->loop = loop_new(clock_system(), NULL, &e);
	f->server = http_server_new(f->loop, &o, routes, 2, f);
	f->fd = ask_listen(&f->addr);
	assert_int_equal(http_server_listen(f->server, f->fd, &e), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_server_free(f->server);
	if (f->held)
		http_server_reply(f->held, 200, HTTP_TYPE_TEXT, slice_str(""));
	loop_turn(f->loop, 0);
	loop_free(f->loop);
	close(f->fd);
	free(f);
	return 0;
}

static void answers(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f->loop, &f->addr, "GET /hello HTTP/1.1\r\nHost: localhost:1\r\n\r\n", f->text,
			     sizeof f->text),
			 200);
	assert_non_null(strstr(f->text, "\r\nConnection: close\r\n"));
	assert_non_null(strstr(f->text, "\r\nContent-Length: 6\r\n"));
	assert_non_null(strstr(f->text, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
	assert_non_null(strstr(f->text, "\r\n\r\nhello\n"));
	assert_string_equal(f->query, "-");
	assert_int_equal(ask(f->loop, &f->addr, "GET /hello?a=1&x=b%20c HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
			     f->text, sizeof f->text),
			 200);
	assert_string_equal(f->query, "b c");
	/* too long for the handler's buffer, and not UTF-8 */
	ask(f->loop, &f->addr,
	    "GET /hello?x=0123456789012345678901234567890123456789 HTTP/1.1\r\nHost: ::1\r\n\r\n", f->text,
	    sizeof f->text);
	ask(f->loop, &f->addr, "GET /hello?x=%ff HTTP/1.1\r\nHost: [::1]\r\n\r\n", f->text, sizeof f->text);
	assert_string_equal(f->query, "-");
}

static void head_has_no_body(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f->loop, &f->addr, "HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", f->text,
			     sizeof f->text),
			 200);
	assert_non_null(strstr(f->text, "\r\nContent-Length: 6\r\n"));
	assert_null(strstr(f->text, "hello"));
}

/* Keep-alive is not offered, not even to those who ask. */
static void one_request_a_connection(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f->loop, &f->addr,
			     "GET /hello HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
			     f->text, sizeof f->text),
			 200);
	assert_null(strstr(f->text, "keep-alive"));
	ask(f->loop, &f->addr,
	    "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n",
	    f->text, sizeof f->text);
	assert_int_equal(f->handled, 2);
}

static void refuses(void **state)
{
	static const struct {
		int status;
		const char *request;
	} rows[] = {
		{404, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"                                          },
		{404, "GET /hello/ HTTP/1.1\r\nHost: localhost\r\n\r\n"                                    },
		{404, "GET //hello HTTP/1.1\r\nHost: localhost\r\n\r\n"                                    },
		{404, "GET /%68ello HTTP/1.1\r\nHost: localhost\r\n\r\n"                                   },
		{405, "POST /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"               },
		{405, "DELETE /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"                                  },
		{405, "OPTIONS /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"                                 },
		{400, "GET /hello HTTP/1.1\r\n\r\n"							},
		{400, "GET /hello HTTP/1.0\r\n\r\n"							},
		{400, "GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"                  },
		{400, "GET /hello HTTP/1.1\r\nHost: local host\r\n\r\n"                                    },
		{421, "GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n"                                  },
		{421, "GET /hello HTTP/1.1\r\nHost: evil.example:9127\r\n\r\n"                             },
		{421, "POST /hello HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n"            },
		{400, "GET http://localhost/hello HTTP/1.1\r\nHost: localhost\r\n\r\n"                     },
		{400, "GET http://evil.example/hello HTTP/1.1\r\nHost: localhost\r\n\r\n"                  },
		{400, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"                                      },
		{400, "\r\n\r\n"									   },
		{400, "nonsense\r\n\r\n"								   },
		{400, "GET /hello HTTP/1.1\r\nHost localhost\r\n\r\n"                                      },
		{400, "GET /hello SPDY/9\r\nHost: localhost\r\n\r\n"                                       },
		{413, "POST /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n123456789"      },
		{413,
		 "POST /hello HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int status = ask(f->loop, &f->addr, rows[i].request, f->text, sizeof f->text);

		if (status != rows[i].status)
			print_error("%s\n", rows[i].request);
		assert_int_equal(status, rows[i].status);
	}
	assert_int_equal(f->handled, 0);
	assert_int_equal(ask(f->loop, &f->addr, "GET /hello HTTP/1.1\r\nHost: metrics.example\r\n\r\n",
			     f->text, sizeof f->text),
			 200);
}

static void oversized_headers(void **state)
{
	struct fixture *f = *state;
	char request[16384];
	int n = snprintf(request, sizeof request, "GET /hello HTTP/1.1\r\nHost: localhost\r\nX: ");

	memset(request + n, 'x', sizeof request - (size_t)n);
	memcpy(request + sizeof request - 5, "\r\n\r\n", 5);
	assert_int_equal(ask(f->loop, &f->addr, request, f->text, sizeof f->text), 400);
	/* no end of line at all */
	memset(request, 'x', sizeof request - 1);
	assert_int_equal(ask(f->loop, &f->addr, request, f->text, sizeof f->text), 400);
	assert_int_equal(f->handled, 0);
}

static void idle_client_is_closed(void **state)
{
	struct fixture *f = *state;
	uint64_t begin = clock_mono_us(clock_system());
	int fd = ask_connect(&f->addr);

	assert_true(ask_read(f->loop, fd, f->text, sizeof f->text, 3000000));
	assert_in_range(clock_mono_us(clock_system()) - begin, IDLE_US / 2, IDLE_US * 3);
	close(fd);
}

/* A byte now and then keeps the idle time-out away, the lifetime ends it. */
static void slow_client_is_closed(void **state)
{
	struct fixture *f = *state;
	uint64_t begin = clock_mono_us(clock_system());
	int fd = ask_connect(&f->addr);
	bool closed = false;

	for (int i = 0; i < 60 && !closed; i++) {
		(void)send(fd, "G", 1, MSG_NOSIGNAL);
		closed = ask_read(f->loop, fd, f->text, sizeof f->text, 50000);
	}
	assert_true(closed);
	assert_in_range(clock_mono_us(clock_system()) - begin, LIFETIME_US / 2, LIFETIME_US * 2);
	close(fd);
}

/* Connections that ask nothing do not keep others out. */
static void full_makes_room(void **state)
{
	struct fixture *f = *state;
	int silent[3 * MAX_CONNECTIONS];
	uint64_t begin = clock_mono_us(clock_system());

	for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
		silent[i] = ask_connect(&f->addr);
		loop_turn(f->loop, 1000);
	}
	assert_int_equal(ask(f->loop, &f->addr, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", f->text,
			     sizeof f->text),
			 200);
	/* without waiting for the time-outs of those before it: each is pushed out */
	assert_in_range(clock_mono_us(clock_system()) - begin, 0, (IDLE_US + LIFETIME_US) * 2);
	assert_true(ask_read(f->loop, silent[0], f->text, sizeof f->text, 1000000));
	for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
		close(silent[i]);
}

/* Never more descriptors than connections allowed. */
static void limit_holds(void **state)
{
	struct fixture *f = *state;
	int fds[32], before = dup(0), after;

	close(before);
	for (size_t i = 0; i < 32; i++)
		fds[i] = ask_connect(&f->addr);
	for (int i = 0; i < 20; i++) {
		loop_turn(f->loop, 0);
		after = dup(0);
		close(after);
		assert_in_range(after - before, 32, 32 + MAX_CONNECTIONS + 1);
	}
	for (size_t i = 0; i < 32; i++)
		close(fds[i]);
}

/* Out of descriptors: waits, does not spin, and goes on afterwards. */
static void out_of_descriptors(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, low;
	int fd = ask_connect(&f->addr), next = dup(0), turns = 0;
	uint64_t end;

	close(next);
	ask_send(fd, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", 40);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	end = clock_mono_us(clock_system()) + 250000;
	while (clock_mono_us(clock_system()) < end) {
		loop_turn(f->loop, 50000);
		turns++;
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_in_range(turns, 1, 30);
	assert_true(ask_read(f->loop, fd, f->text, sizeof f->text, 1000000));
	assert_int_equal(strncmp(f->text, "HTTP/1.1 200", 12), 0);
	close(fd);
}

static void answers_later(void **state)
{
	struct fixture *f = *state;
	int fd = ask_connect(&f->addr);
	const char rq[] = "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n";

	ask_send(fd, rq, sizeof rq - 1);
	assert_false(ask_read(f->loop, fd, f->text, sizeof f->text, 50000));
	assert_non_null(f->held);
	http_server_reply(f->held, 503, HTTP_TYPE_JSON, slice_str("{}"));
	f->held = NULL;
	assert_true(ask_read(f->loop, fd, f->text, sizeof f->text, 1000000));
	assert_int_equal(strncmp(f->text, "HTTP/1.1 503 Service Unavailable\r\n", 34), 0);
	close(fd);
}

/* The client goes, or its lifetime ends, while the handler still works. */
static void client_gone_meanwhile(void **state)
{
	struct fixture *f = *state;
	const char rq[] = "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n";

	for (int wait = 0; wait < 2; wait++) {
		int fd = ask_connect(&f->addr);

		ask_send(fd, rq, sizeof rq - 1);
		ask_read(f->loop, fd, f->text, sizeof f->text, 50000);
		assert_non_null(f->held);
		if (wait) {
			ask_read(f->loop, fd, f->text, sizeof f->text, LIFETIME_US * 3 / 2);
		} else {
			struct linger now = {1, 0};

			setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		}
		close(fd);
		for (int i = 0; i < 5; i++)
			loop_turn(f->loop, 2000);
		http_server_reply(f->held, 200, HTTP_TYPE_TEXT, slice_str("too late"));
		f->held = NULL;
		for (int i = 0; i < 5; i++)
			loop_turn(f->loop, 2000);
	}
	assert_int_equal(ask(f->loop, &f->addr, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", f->text,
			     sizeof f->text),
			 200);
}

/* teardown frees the server first */
static void server_gone_meanwhile(void **state)
{
	struct fixture *f = *state;
	int fd = ask_connect(&f->addr), silent = ask_connect(&f->addr);
	const char rq[] = "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n";

	ask_send(fd, rq, sizeof rq - 1);
	ask_read(f->loop, fd, f->text, sizeof f->text, 20000);
	assert_non_null(f->held);
	close(fd);
	close(silent);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(answers),
		T(head_has_no_body),
		T(one_request_a_connection),
		T(refuses),
		T(oversized_headers),
		T(idle_client_is_closed),
		T(slow_client_is_closed),
		T(full_makes_room),
		T(limit_holds),
		T(out_of_descriptors),
		T(answers_later),
		T(client_gone_meanwhile),
		T(server_gone_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
