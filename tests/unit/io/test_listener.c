#include "config.h"
#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/listener.h"
#include "io/listener_owner.h"

static const struct listen_opts opts = {.backlog = 16, .unix_mode = 0640};

struct got {
	int fd[64];
	unsigned n, stop_at;
	struct listener *ln;
	struct addr peer, local;
};

static void on_accept(void *arg, int fd, const struct addr *peer, const struct addr *local)
{
	struct got *g = arg;

	assert_true(g->n < 64);
	g->fd[g->n++] = fd;
	g->peer = *peer;
	g->local = *local;
	if (g->n == g->stop_at)
		listener_stop(g->ln);
}

static void close_all(struct got *g)
{
	for (unsigned i = 0; i < g->n; i++)
		close(g->fd[i]);
	g->n = 0;
}

static int dial(const struct addr *a)
{
	int fd = socket(a->ss.ss_family, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&a->ss, a->len), 0);
	return fd;
}

static int open_tcp(struct addr *a, const char *ip)
{
	struct err e;
	int fd;

	assert_int_equal(addr_parse(a, ip, 0), 0);
	fd = listener_open(a, &opts, &e);
	if (fd < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a->ss, &a->len), 0);
	return fd;
}

static void accepts(void **state)
{
	static const char *const ips[] = {"127.0.0.1", "::1"};
	struct loop *l = kit_loop();

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct got g = {0};
		struct addr a;
		int fd = open_tcp(&a, ips[i]), c, on = 0;
		socklen_t n = sizeof(on);

		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		g.ln = listener_start(l, fd, on_accept, NULL, &g);
		c = dial(&a);
		kit_until(l, g.n == 1);
		assert_true(fcntl(g.fd[0], F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(g.fd[0], F_GETFL) & O_NONBLOCK);
		assert_int_equal(getsockopt(g.fd[0], IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
		assert_int_equal(on, 1);
		assert_int_equal(addr_port(&g.local), addr_port(&a));
		assert_true(addr_is_loopback(&g.peer));
		assert_int_not_equal(addr_port(&g.peer), 0);
		close(c);
		close_all(&g);
		listener_stop(g.ln);
		listener_stop(NULL);
		close(fd);
	}
	loop_free(l);
}

/* IPv6 sockets do not take IPv4, so that both can be had on one port. */
static void both_families_on_one_port(void **state)
{
	struct addr a, b;
	struct err e;
	int x = open_tcp(&a, "0.0.0.0"), y;

	(void)state;
	assert_int_equal(addr_parse(&b, "::", addr_port(&a)), 0);
	y = listener_open(&b, &opts, &e);
	assert_true(y >= 0);
	close(x);
	close(y);
}

static void stops_inside_the_callback(void **state)
{
	struct loop *l = kit_loop();
	struct got g = {.stop_at = 2};
	struct addr a;
	int fd = open_tcp(&a, "127.0.0.1"), c[5];

	(void)state;
	for (int i = 0; i < 5; i++)
		c[i] = dial(&a);
	g.ln = listener_start(l, fd, on_accept, NULL, &g);
	kit_until(l, g.n == 2);
	kit_for(l, 20000);
	assert_int_equal(g.n, 2);
	for (int i = 0; i < 5; i++)
		close(c[i]);
	close_all(&g);
	close(fd);
	loop_free(l);
}

/* Out of descriptors: no spinning, and it recovers by itself (pitfall 60). */
static void waits_for_descriptors(void **state)
{
	struct loop *l = kit_loop();
	struct got g = {0};
	struct rlimit old, low;
	struct addr a;
	int fd = open_tcp(&a, "127.0.0.1"), c, turns = 0;
	uint64_t end;

	(void)state;
	c = dial(&a);
	g.ln = listener_start(l, fd, on_accept, NULL, &g);
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = 3; /* fewer than are open */
	setrlimit(RLIMIT_NOFILE, &low);
	end = kit_now_us() + 350000;
	while (kit_now_us() < end) {
		loop_turn(l, 50000);
		turns++;
	}
	assert_int_equal(g.n, 0);
	assert_in_range(listener_exhausted(g.ln), 2, 5);
	assert_true(turns < 30);
	setrlimit(RLIMIT_NOFILE, &old);
	kit_until(l, g.n == 1);
	close(c);
	close_all(&g);
	/* stopped while it pauses */
	c = dial(&a);
	setrlimit(RLIMIT_NOFILE, &low);
	end = listener_exhausted(g.ln);
	kit_until(l, listener_exhausted(g.ln) > end);
	listener_stop(g.ln);
	setrlimit(RLIMIT_NOFILE, &old);
	kit_for(l, 150000);
	assert_int_equal(g.n, 0);
	close(c);
	close(fd);
	loop_free(l);
}

/* The owner can give one up: no pause then. */
static bool give_up(void *arg)
{
	int *fd = arg;

	if (*fd < 0)
		return false;
	close(*fd);
	*fd = -1;
	return true;
}

static int spare; /* for give_up, which has the listener's arg */

static void on_accept_spare(void *arg, int fd, const struct addr *peer, const struct addr *local)
{
	(void)arg;
	(void)peer;
	(void)local;
	close(fd);
}

static void gives_up_for_a_newcomer(void **state)
{
	struct loop *l = kit_loop();
	struct rlimit old, low;
	struct listener *ln;
	struct addr a;
	int fd = open_tcp(&a, "127.0.0.1"), c = dial(&a);
	uint64_t start;

	(void)state;
	ln = listener_start(l, fd, on_accept_spare, give_up, &spare);
	spare = dup(0);
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)spare + 1;
	setrlimit(RLIMIT_NOFILE, &low);
	start = kit_now_us();
	kit_until(l, spare == -1 && listener_exhausted(ln) == 1);
	loop_turn(l, 0);
	assert_true(kit_now_us() - start < 90000);
	setrlimit(RLIMIT_NOFILE, &old);
	close(c);
	listener_stop(ln);
	close(fd);
	loop_free(l);
}

/* A connection that is gone before it is accepted is nobody's problem. */
static void survives_aborted_connections(void **state)
{
	struct linger rst = {1, 0};
	struct loop *l = kit_loop();
	struct got g = {0};
	struct addr a;
	int fd = open_tcp(&a, "127.0.0.1"), c = dial(&a);

	(void)state;
	setsockopt(c, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	close(c);
	g.ln = listener_start(l, fd, on_accept, NULL, &g);
	c = dial(&a);
	kit_until(l, g.n >= 1);
	close(c);
	kit_for(l, 20000);
	close_all(&g);
	assert_int_equal(listener_exhausted(g.ln), 0);
	listener_stop(g.ln);
	close(fd);
	loop_free(l);
}

/* ---- unix sockets ---- */

static void unix_sockets(void **state)
{
	struct loop *l = kit_loop();
	char *dir = kit_dir_new(), *path = mem_printf("%s/.s.PGSQL.5432", dir), *file;
	struct got g = {0};
	struct addr a, b;
	struct err e;
	struct stat st;
	mode_t mask = umask(077);
	int fd, other, c;

	(void)state;
	assert_int_equal(addr_unix(&a, path, &e), 0);
	fd = listener_open(&a, &opts, &e);
	assert_true(fd >= 0);
	umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	g.ln = listener_start(l, fd, on_accept, NULL, &g);
	c = dial(&a);
	kit_until(l, g.n == 1);
	assert_true(addr_is_unix(&g.peer));
	assert_true(addr_is_unix(&g.local));
	close(c);
	close_all(&g);
	/* somebody is there: not taken over; it is who listens, not who was connected */
	other = listener_open(&a, &opts, &e);
	assert_int_equal(other, -1);
	assert_int_equal(e.code, ERR_CONFIG);
	assert_non_null(strstr(e.msg, path));
	assert_non_null(strstr(e.msg, "in use"));
	assert_non_null(strstr(e.detail, "test_listener (pid "));
	assert_int_equal(stat(path, &st), 0);
	listener_stop(g.ln);
	/* nobody is there: taken over */
	close(fd);
	assert_int_equal(stat(path, &st), 0);
	fd = listener_open(&a, &opts, &e);
	assert_true(fd >= 0);
	/* a successor's file is left alone */
	unlink(path);
	other = listener_open(&a, &opts, &e);
	assert_true(other >= 0);
	close(fd);
	listener_remove_file(&a);
	assert_int_equal(stat(path, &st), 0);
	close(other);
	listener_remove_file(&a);
	assert_int_equal(stat(path, &st), -1);
	/* a file that is no socket is not removed */
	file = kit_write(dir, "file", "x", 1);
	assert_int_equal(addr_unix(&b, file, &e), 0);
	assert_int_equal(listener_open(&b, &opts, &e), -1);
	assert_non_null(strstr(e.detail, "no socket"));
	assert_int_equal(stat(file, &st), 0);
	free(file);
	free(path);
	kit_dir_free(dir);
	loop_free(l);
}

/* A group that is not this process's first one: given by number. Nobody but root can give one it is not in. */
static void unix_group(void **state)
{
	struct listen_opts o = {.backlog = 4, .unix_mode = 0660, .unix_gid_set = true, .unix_gid = getgid()};
	char *dir = kit_dir_new(), *path = mem_printf("%s/s", dir);
	struct addr a;
	struct err e;
	struct stat st;
	int fd;

	(void)state;
	if (geteuid() == 0)
		o.unix_gid = 12345;
	assert_int_equal(addr_unix(&a, path, &e), 0);
	fd = listener_open(&a, &o, &e);
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_gid, o.unix_gid);
	assert_int_equal(st.st_mode & 07777, 0660);
	close(fd);
	listener_remove_file(&a);
	o.unix_gid = (gid_t)-2;
	if (geteuid() != 0) {
		assert_int_equal(listener_open(&a, &o, &e), -1);
		assert_non_null(strstr(e.msg, "group"));
		assert_int_equal(stat(path, &st), -1); /* nothing is left behind */
	}
	free(path);
	kit_dir_free(dir);
}

/* ---- sockets of others ---- */

static void refuses(int fd, const char *why)
{
	struct addr a;
	struct err e;

	assert_int_equal(listener_adopt(fd, &a, &e), -1);
	if (!strstr(e.msg, why))
		fail_msg("\"%s\" says nothing of \"%s\"", e.msg, why);
}

static void adopts(void **state)
{
	struct loop *l = kit_loop();
	struct got g = {0};
	struct addr a, b;
	struct err e;
	int fd = kit_listen(&a, "127.0.0.1", 4), c, pair[2], udp = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	fcntl(fd, F_SETFD, 0);
	assert_int_equal(listener_adopt(fd, &b, &e), 0);
	assert_int_equal(addr_port(&a), addr_port(&b));
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	g.ln = listener_start(l, fd, on_accept, NULL, &g);
	c = dial(&a);
	kit_until(l, g.n == 1);
	close(c);
	close_all(&g);
	listener_stop(g.ln);
	close(fd);
	kit_tcp_pair(pair);
	refuses(pair[0], "does not listen");
	refuses(udp, "not a stream");
	refuses(fd, "not a socket"); /* closed */
	refuses(open("/dev/null", O_RDONLY | O_CLOEXEC), "not a socket");
	close(udp);
	close(pair[0]);
	close(pair[1]);
	loop_free(l);
}

/* ---- why not ---- */

/* An abstract socket's owner, and a port that is only the local end of a connection. */
static void finds_odd_owners(void **state)
{
	struct addr a, b;
	struct err e;
	char owner[LISTENER_OWNER_TEXT], *name = mem_printf("@pgiam-test-%ld", (long)getpid());
	int fd, pair[2];

	(void)state;
	assert_int_equal(addr_unix(&a, name, &e), 0);
	fd = listener_open(&a, &opts, &e);
	assert_true(fd >= 0);
	assert_int_equal(listener_open(&a, &opts, &e), -1);
	assert_non_null(strstr(e.msg, name));
	assert_non_null(strstr(e.detail, "test_listener (pid "));
	close(fd);
	assert_false(listener_owner(&a, owner));
	free(name);
	kit_tcp_pair(pair);
	memset(&b, 0, sizeof b);
	b.len = sizeof b.ss;
	assert_int_equal(getsockname(pair[0], (struct sockaddr *)&b.ss, &b.len), 0);
	assert_true(listener_owner(&b, owner));
	assert_non_null(strstr(owner, "test_listener (pid "));
	close(pair[0]);
	close(pair[1]);
}

static void says_what_is_wrong_with_a_directory(void **state)
{
	struct addr a;
	struct err e;

	(void)state;
	assert_int_equal(addr_unix(&a, "/nonexistent/dir/.s.PGSQL.5432", &e), 0);
	assert_int_equal(listener_open(&a, &opts, &e), -1);
	assert_non_null(strstr(e.msg, "/nonexistent/dir/.s.PGSQL.5432"));
	assert_non_null(strstr(e.hint, "directory"));
}

/* The same port of another address is nobody's fault. */
static void names_the_right_owner(void **state)
{
	struct addr a, b;
	char owner[LISTENER_OWNER_TEXT];
	int fd = open_tcp(&a, "127.0.0.1");

	(void)state;
	assert_int_equal(addr_parse(&b, "127.0.0.2", addr_port(&a)), 0);
	assert_true(listener_owner(&a, owner));
	assert_false(listener_owner(&b, owner));
	assert_int_equal(addr_parse(&b, "::1", addr_port(&a)), 0);
	assert_false(listener_owner(&b, owner));
	close(fd);
	assert_false(listener_owner(&a, owner));
}

static void says_who_has_the_port(void **state)
{
	struct addr a, b;
	struct err e;
	char where[ADDR_TEXT];
	int fd = open_tcp(&a, "127.0.0.1");

	(void)state;
	assert_int_equal(listener_open(&a, &opts, &e), -1);
	assert_int_equal(e.code, ERR_CONFIG);
	assert_non_null(strstr(e.msg, addr_text(&a, where)));
	assert_non_null(strstr(e.msg, "Address already in use"));
	assert_non_null(strstr(e.detail, "test_listener (pid "));
	/* a wildcard is in the way, too, also of the other family's */
	close(fd);
	fd = open_tcp(&a, "0.0.0.0");
	assert_int_equal(addr_parse(&b, "127.0.0.1", addr_port(&a)), 0);
	assert_int_equal(listener_open(&b, &opts, &e), -1);
	assert_non_null(strstr(e.detail, "test_listener (pid "));
	close(fd);
	fd = open_tcp(&a, "::1");
	assert_int_equal(listener_open(&a, &opts, &e), -1);
	assert_non_null(strstr(e.detail, "test_listener (pid "));
	close(fd);
	assert_int_equal(addr_parse(&b, "192.0.2.1", 5432), 0);
	assert_int_equal(listener_open(&b, &opts, &e), -1);
	assert_non_null(strstr(e.hint, "No interface"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts),
		cmocka_unit_test(both_families_on_one_port),
		cmocka_unit_test(stops_inside_the_callback),
		cmocka_unit_test(waits_for_descriptors),
		cmocka_unit_test(survives_aborted_connections),
		cmocka_unit_test(unix_sockets),
		cmocka_unit_test(names_the_right_owner),
		cmocka_unit_test(says_who_has_the_port),
		cmocka_unit_test(unix_group),
		cmocka_unit_test(adopts),
		cmocka_unit_test(finds_odd_owners),
		cmocka_unit_test(says_what_is_wrong_with_a_directory),
		cmocka_unit_test(gives_up_for_a_newcomer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
