/* io/addr and io/iobuf. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#include "io/addr.h"
#include "io/iobuf.h"

static void literals(void **state)
{
	static const struct {
		const char *ip, *text, *host;
		bool loopback;
	} rows[] = {
		{"127.0.0.1",        "127.0.0.1:5432",          "127.0.0.1",        true },
		{"127.255.255.254",  "127.255.255.254:5432",    "127.255.255.254",  true },
		{"128.0.0.1",        "128.0.0.1:5432",          "128.0.0.1",        false},
		{"0.0.0.0",          "0.0.0.0:5432",            "0.0.0.0",          false},
		{"::1",              "[::1]:5432",              "::1",              true },
		{"::",               "[::]:5432",               "::",               false},
		{"::2",              "[::2]:5432",              "::2",              false},
		{"0:0:0:0:0:0:0:1",  "[::1]:5432",              "::1",              true },
		{"::ffff:127.0.0.1", "[::ffff:127.0.0.1]:5432", "::ffff:127.0.0.1", true },
		{"::ffff:10.0.0.1",  "[::ffff:10.0.0.1]:5432",  "::ffff:10.0.0.1",  false},
		{"::127.0.0.1",      "[::127.0.0.1]:5432",      "::127.0.0.1",      false},
		{"2001:DB8::Abcd",   "[2001:db8::abcd]:5432",   "2001:db8::abcd",   false},
	};
	char text[ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr a;

		assert_int_equal(addr_parse(&a, rows[i].ip, 5432), 0);
		assert_string_equal(addr_text(&a, text), rows[i].text);
		assert_string_equal(addr_host_text(&a, text), rows[i].host);
		assert_int_equal(addr_is_loopback(&a), rows[i].loopback);
		assert_false(addr_is_unix(&a));
		assert_int_equal(addr_port(&a), 5432);
		addr_set_port(&a, 65535);
		assert_int_equal(addr_port(&a), 65535);
	}
}

static void names_are_no_literals(void **state)
{
	static const char *const names[] = {
		"",
		"localhost",
		"127.1",
		"127.0.0.1.",
		"0x7f.0.0.1",
		"127.0.0.1:5432",
		"[::1]",
		"::1%",
		"::1%nosuchif0",
		"256.0.0.1",
		" 127.0.0.1",
		"1:2",
		"::g",
		"mydb.abc.us-east-1.rds.amazonaws.com",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct addr a;

		memset(&a, 0x55, sizeof(a));
		assert_int_equal(addr_parse(&a, names[i], 1), -1);
		assert_int_equal(a.len, 0x55555555); /* untouched */
	}
}

static void zones(void **state)
{
	struct addr a;
	char text[ADDR_TEXT];

	(void)state;
	assert_int_equal(addr_parse(&a, "fe80::1%lo", 1), 0);
	assert_string_equal(addr_host_text(&a, text), "fe80::1%lo");
	assert_string_equal(addr_text(&a, text), "[fe80::1%lo]:1");
	((struct sockaddr_in6 *)&a.ss)->sin6_scope_id = 999999; /* an interface that is gone */
	assert_string_equal(addr_host_text(&a, text), "fe80::1%999999");
}

static void unix_sockets(void **state)
{
	struct addr a;
	struct err e;
	char text[ADDR_TEXT], path[200];

	(void)state;
	assert_int_equal(addr_unix(&a, "/run/pgiam/.s.PGSQL.5432", &e), 0);
	assert_true(addr_is_unix(&a));
	assert_true(addr_is_loopback(&a));
	assert_int_equal(addr_port(&a), 0);
	addr_set_port(&a, 5); /* has none */
	assert_int_equal(addr_port(&a), 0);
	assert_string_equal(addr_text(&a, text), "unix:/run/pgiam/.s.PGSQL.5432");
	assert_string_equal(addr_host_text(&a, text), "[local]");
	assert_int_equal(addr_unix(&a, "@name", &e), 0);
	assert_int_equal(a.len, offsetof(struct sockaddr_un, sun_path) + 5);
	assert_string_equal(addr_text(&a, text), "unix:@name");
	/* the longest that fits, and one more */
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[107] = '\0';
	assert_int_equal(addr_unix(&a, path, &e), 0);
	assert_string_equal(addr_text(&a, text) + 5, path);
	path[107] = 'x';
	path[108] = '\0';
	assert_int_equal(addr_unix(&a, path, &e), -1);
	assert_non_null(strstr(e.msg, "too long"));
	assert_non_null(strstr(e.msg, "107"));
	assert_int_equal(addr_unix(&a, "", &e), -1);
	assert_int_equal(addr_unix(&a, "@", &e), -1);
}

static void what_accept_gives(void **state)
{
	struct addr a = {.len = sizeof(a.ss)};
	char text[ADDR_TEXT];
	int fds[2];

	(void)state;
	/* an unnamed unix peer */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(getpeername(fds[0], (struct sockaddr *)&a.ss, &a.len), 0);
	assert_string_equal(addr_text(&a, text), "unix:");
	close(fds[0]);
	close(fds[1]);
	/* a path that fills sun_path without a NUL, and a length beyond it */
	a.ss.ss_family = AF_UNIX;
	memset(((struct sockaddr_un *)&a.ss)->sun_path, 'y', sizeof(((struct sockaddr_un *)&a.ss)->sun_path));
	a.len = sizeof(a.ss);
	assert_int_equal(strlen(addr_text(&a, text)), 5 + 108);
	/* neither */
	a.ss.ss_family = AF_UNSPEC;
	assert_string_equal(addr_host_text(&a, text), "");
	assert_false(addr_is_loopback(&a));
	assert_int_equal(addr_port(&a), 0);
}

static void buffers(void **state)
{
	struct iobuf_pool *p = iobuf_pool_new(2);
	struct iobuf *b[4], *last;

	(void)state;
	for (int i = 0; i < 4; i++) {
		b[i] = iobuf_get(p);
		b[i]->filled = b[i]->parsed = b[i]->sent = 7;
	}
	assert_int_equal(iobuf_in_use(p), 4);
	last = b[1];
	iobuf_put(p, b[0]);
	iobuf_put(p, b[1]);
	iobuf_put(p, b[2]); /* beyond keep: given back */
	iobuf_put(p, NULL);
	assert_int_equal(iobuf_in_use(p), 1);
	b[0] = iobuf_get(p);
	assert_ptr_equal(b[0], last); /* the warm one */
	assert_int_equal(b[0]->filled + b[0]->parsed + b[0]->sent, 0);
	iobuf_put(p, b[0]);
	iobuf_put(p, b[3]);
	assert_int_equal(iobuf_in_use(p), 0);
	iobuf_pool_free(p);
	iobuf_pool_free(NULL);
}

static void buffers_compact(void **state)
{
	struct iobuf_pool *p = iobuf_pool_new(0);
	struct iobuf *b = iobuf_get(p);

	(void)state;
	memcpy(b->data, "sentparsedfilled", 16);
	b->sent = 4;
	b->parsed = 10;
	b->filled = 16;
	iobuf_compact(b);
	assert_int_equal(b->sent, 0);
	assert_int_equal(b->parsed, 6);
	assert_int_equal(b->filled, 12);
	assert_memory_equal(b->data, "parsedfilled", 12);
	iobuf_compact(b);
	assert_int_equal(b->filled, 12);
	b->sent = b->parsed = 12;
	iobuf_compact(b);
	assert_int_equal(b->filled, 0);
	iobuf_put(p, b);
	iobuf_pool_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals),
		cmocka_unit_test(names_are_no_literals),
		cmocka_unit_test(zones),
		cmocka_unit_test(unix_sockets),
		cmocka_unit_test(what_accept_gives),
		cmocka_unit_test(buffers),
		cmocka_unit_test(buffers_compact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
