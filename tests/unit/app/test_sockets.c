/* Lists of listening sockets: all or none, but for what the machine cannot have and nobody asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <cmocka.h>
#include "app/sockets.h"

static const struct listen_opts opts = {.backlog = 4, .unix_mode = 0600};

static struct conf_listen at(const char *ip, bool optional)
{
	static char text[] = "text";
	struct conf_listen l = {.text = text, .optional = optional};

	assert_int_equal(addr_parse(&l.addr, ip, 0), 0);
	return l;
}

static void several(void **state)
{
	struct conf_listen l[] = {at("127.0.0.1", false), at("127.0.0.2", false)};
	struct sockets s;
	struct err e;
	char text[64], little[8];

	(void)state;
	assert_int_equal(sockets_open(&s, l, 2, &opts, &e), 0);
	assert_int_equal(s.count, 2);
	assert_true(s.fd[0] >= 0 && s.fd[1] >= 0);
	sockets_text(&s, text, sizeof text);
	assert_string_equal(text, "text text");
	sockets_text(&s, little, sizeof little); /* cut, not beyond */
	assert_true(strlen(little) < sizeof little);
	sockets_close(&s);
	sockets_close(&s);
	assert_int_equal(sockets_open(&s, NULL, 0, &opts, &e), 0);
	sockets_text(&s, text, sizeof text);
	assert_string_equal(text, "");
	sockets_close(&s);
}

/* 192.0.2.0/24 is nobody's (RFC 5737). */
static void missing_address(void **state)
{
	struct conf_listen needed[] = {at("127.0.0.1", false), at("192.0.2.1", false)};
	struct conf_listen optional[] = {at("192.0.2.1", true), at("127.0.0.1", false)};
	struct conf_listen nothing[] = {at("192.0.2.1", true)};
	struct sockets s;
	struct err e = {0};
	int before = dup(0), after;

	(void)state;
	close(before);
	assert_int_equal(sockets_open(&s, needed, 2, &opts, &e), -1);
	assert_non_null(strstr(e.msg, "192.0.2.1"));
	assert_int_equal(sockets_open(&s, nothing, 1, &opts, &e), -1);
	after = dup(0);
	close(after);
	assert_int_equal(before, after); /* all closed */
	assert_int_equal(sockets_open(&s, optional, 2, &opts, &e), 0);
	assert_int_equal(s.count, 1);
	sockets_close(&s);
}

/* Before it is closed: nobody else can have the number meanwhile. */
static void refused(void **state)
{
	struct conf_listen l = at("127.0.0.1", false);
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct sockets s;
	struct err e;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), held;

	(void)state;
	assert_int_equal(sockets_open(&s, &l, 1, &opts, &e), 0);
	held = s.fd[0];
	assert_int_equal(getsockname(held, (struct sockaddr *)&ss, &len), 0);
	sockets_refuse(&s);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(fcntl(held, F_GETFD), FD_CLOEXEC);
	sockets_close(&s);
	close(fd);
}

/* Optional or not: a port in use is an error. */
static void port_in_use(void **state)
{
	struct conf_listen l = at("127.0.0.1", true);
	struct sockets one, two;
	struct err e = {0};

	(void)state;
	assert_int_equal(sockets_open(&one, &l, 1, &opts, &e), 0);
	l.addr.len = sizeof l.addr.ss;
	assert_int_equal(getsockname(one.fd[0], (struct sockaddr *)&l.addr.ss, &l.addr.len), 0);
	assert_int_equal(sockets_open(&two, &l, 1, &opts, &e), -1);
	assert_true(e.msg[0]);
	sockets_close(&one);
}

/* A unix socket, and its lock file for as long. */
static void unix_socket(void **state)
{
	char dir[] = "/tmp/pgiam-sockets-XXXXXX", path[64], lock[80];
	struct conf_listen l = {.text = path};
	struct sockets one, two;
	struct err e = {0};
	struct addr a;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/.s.PGSQL.5432", dir);
	snprintf(lock, sizeof lock, "%s.lock", path);
	assert_int_equal(addr_unix(&l.addr, path, &e), 0);
	assert_int_equal(sockets_open(&one, &l, 1, &opts, &e), 0);
	assert_int_equal(access(lock, F_OK), 0);
	assert_int_equal(sockets_open(&two, &l, 1, &opts, &e), -1);
	assert_non_null(strstr(e.msg, path));
	assert_non_null(strstr(e.msg, "another pgiam"));
	sockets_close(&one);
	assert_int_equal(access(lock, F_OK), -1);
	assert_int_equal(access(path, F_OK), -1);
	/* the same while threads have the number */
	assert_int_equal(sockets_open(&one, &l, 1, &opts, &e), 0);
	fd = one.fd[0];
	sockets_abandon(&one);
	assert_int_equal(access(lock, F_OK), -1);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(one.fd[0], fd);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	sockets_close(&one);
	/* one that was passed on is not ours to remove */
	fd = listener_open(&l.addr, &opts, &e);
	assert_int_equal(listener_adopt(fd, &a, &e), 0);
	one = (struct sockets){0};
	sockets_add(&one, fd, &a);
	sockets_text(&one, lock, sizeof lock);
	assert_non_null(strstr(lock, path));
	sockets_abandon(&one);
	assert_int_equal(access(path, F_OK), 0);
	sockets_close(&one);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several),
		cmocka_unit_test(missing_address),
		cmocka_unit_test(port_in_use),
		cmocka_unit_test(refused),
		cmocka_unit_test(unix_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
