/* The environment of sd_listen_fds(3), and what may be passed on. Descriptors 3 and up are the test's own here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>
#include <cmocka.h>
#include "app/inherited.h"

#define MAX 6

/* An environment with these variables among others; room for one more entry. */
static char **environment(char *env[MAX], char *pid, char *fds, char *names)
{
	static char first[] = "PATH=/bin", last[] = "LISTEN_PIDS=x";
	size_t n = 0;

	env[n++] = first;
	if (pid)
		env[n++] = pid;
	if (fds)
		env[n++] = fds;
	if (names)
		env[n++] = names;
	env[n++] = last;
	env[n] = NULL;
	return env;
}

static char *our_pid(char text[32])
{
	snprintf(text, 32, "LISTEN_PID=%ld", (long)getpid());
	return text;
}

static void take(struct inherited *in, char *fds, char *names)
{
	char *env[MAX], pid[32];

	inherited_take(in, environment(env, our_pid(pid), fds, names));
	assert_string_equal(env[0], "PATH=/bin");
	assert_string_equal(env[1], "LISTEN_PIDS=x");
	assert_null(env[2]);
}

/* Descriptor 3 becomes a copy of fd, 4 is closed. */
static void place(int fd)
{
	assert_int_equal(dup2(fd, 3), 3);
	if (fd != 3)
		close(fd);
	close(4);
}

static int listening(const char *ip)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct addr a;

	assert_int_equal(addr_parse(&a, ip, 0), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a.ss, a.len), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void none(void **state)
{
	struct inherited in;
	char *env[MAX], pid[32], other[] = "LISTEN_PID=1", fds[] = "LISTEN_FDS=1";

	(void)state;
	inherited_take(&in, environment(env, NULL, NULL, NULL));
	assert_int_equal(in.n, 0);
	inherited_free(&in);
	inherited_take(&in, environment(env, our_pid(pid), NULL, NULL));
	assert_int_equal(in.n, 0);
	assert_null(in.malformed);
	assert_string_equal(env[1], "LISTEN_PIDS=x");
	inherited_free(&in);
	inherited_take(&in, environment(env, other, fds, NULL)); /* a shell between us and systemd */
	assert_int_equal(in.n, 0);
	assert_string_equal(in.not_ours, "1");
	assert_string_equal(env[1], "LISTEN_PIDS=x");
	inherited_free(&in);
}

static void malformed(void **state)
{
	char texts[][32] = {"LISTEN_FDS=", "LISTEN_FDS=x", "LISTEN_FDS=-1", "LISTEN_FDS=257", "LISTEN_FDS=99999999999", "LISTEN_FDS=1 "};
	struct sockets clients = {0}, http = {0};
	struct inherited in;
	struct conf c = {0};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		take(&in, texts[i], NULL);
		assert_int_equal(in.n, 0);
		assert_int_equal(inherited_sort(&in, &c, &clients, &http, &e), -1);
		assert_non_null(strstr(e.msg, "LISTEN_FDS"));
		inherited_free(&in);
	}
}

static void sorted(void **state)
{
	char fds[] = "LISTEN_FDS=2", names[] = "LISTEN_FDNAMES=pgiam.socket:http";
	struct sockets clients = {0}, http = {0};
	struct inherited in;
	struct conf c = {0};
	struct err e = {0};
	char text[64];

	(void)state;
	place(listening("127.0.0.1"));
	assert_int_equal(dup2(3, 4), 4);
	take(&in, fds, names);
	assert_int_equal(in.n, 2);
	assert_true(fcntl(3, F_GETFD) & FD_CLOEXEC);
	assert_string_equal(in.v[0].name, "pgiam.socket");
	if (inherited_sort(&in, &c, &clients, &http, &e) != 0)
		fail_msg("%s", e.msg);
	assert_int_equal(clients.count, 1);
	assert_int_equal(clients.fd[0], 3);
	assert_int_equal(http.count, 1);
	assert_int_equal(http.fd[0], 4);
	sockets_text(&clients, text, sizeof text);
	assert_int_equal(strncmp(text, "127.0.0.1:", 10), 0);
	inherited_free(&in);
	sockets_close(&clients);
	sockets_close(&http);
	assert_int_equal(fcntl(3, F_GETFD), -1);
}

static void is_refused(struct conf *c, char *names, const char *why)
{
	char fds[] = "LISTEN_FDS=1";
	struct sockets clients = {0}, http = {0};
	struct inherited in;
	struct err e = {0};

	take(&in, fds, names);
	assert_int_equal(inherited_sort(&in, c, &clients, &http, &e), -1);
	if (!strstr(e.msg, why) || !strstr(e.msg, "socket 1 "))
		fail_msg("\"%s\" says nothing of \"%s\"", e.msg, why);
	inherited_free(&in);
}

static void refused(void **state)
{
	struct conf c = {0};
	struct err e;
	struct addr a;
	char http[] = "LISTEN_FDNAMES=http", name[32];
	int fd;

	(void)state;
	close(3);
	is_refused(&c, NULL, "not open");
	place(open("/dev/null", O_RDONLY));
	is_refused(&c, NULL, "not a socket");
	place(socket(AF_INET, SOCK_DGRAM, 0));
	is_refused(&c, NULL, "not a stream");
	place(socket(AF_INET, SOCK_STREAM, 0));
	is_refused(&c, NULL, "does not listen");
	/* rule 7 holds for them, too */
	place(listening("0.0.0.0"));
	is_refused(&c, NULL, "can be reached from other hosts");
	c.remote_allowed = true;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(name, sizeof name, "@pgiam-inherited-%ld", (long)getpid());
	assert_int_equal(addr_unix(&a, name, &e), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a.ss, a.len), 0);
	assert_int_equal(listen(fd, 4), 0);
	place(fd);
	is_refused(&c, http, "TCP only");
	close(3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none),
		cmocka_unit_test(malformed),
		cmocka_unit_test(sorted),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
