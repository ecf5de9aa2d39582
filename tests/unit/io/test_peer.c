#include "config.h"
#include "kit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>
#include "io/peer.h"

#define OTHER_UID 54321

struct conn {
	int fd; /* accepted */
	struct addr peer, local;
};

static struct conn take(int ln)
{
	struct conn c = {.peer.len = sizeof(c.peer.ss), .local.len = sizeof(c.local.ss)};

	c.fd = accept(ln, (struct sockaddr *)&c.peer.ss, &c.peer.len);
	assert_true(c.fd >= 0);
	assert_int_equal(getsockname(c.fd, (struct sockaddr *)&c.local.ss, &c.local.len), 0);
	return c;
}

/* Connects from a child of another user (if we may), which lives until its pipe closes. */
static pid_t connect_as(uid_t uid, const struct addr *a, int *keep)
{
	int fd[2], up[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(pipe(up), 0);
	pid = fork();
	if (pid == 0) {
		int s;

		close(fd[1]);
		if (setuid(uid) != 0)
			_exit(1);
		s = socket(a->ss.ss_family, SOCK_STREAM, 0);
		if (connect(s, (const struct sockaddr *)&a->ss, a->len) != 0)
			_exit(2);
		if (write(up[1], "x", 1) != 1 || read(fd[0], &c, 1) < 0)
			_exit(3);
		_exit(0);
	}
	close(fd[0]);
	close(up[1]);
	assert_int_equal(read(up[0], &c, 1), 1);
	close(up[0]);
	*keep = fd[1];
	return pid;
}

static void end_child(pid_t pid, int keep)
{
	int status;

	close(keep);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void check_uid(int ln, const struct addr *to)
{
	uid_t want = geteuid() == 0 ? OTHER_UID : geteuid(), got = (uid_t)-1;
	struct err e;
	struct conn c;
	int keep;
	pid_t pid = connect_as(want, to, &keep);

	c = take(ln);
	if (peer_uid(c.fd, &c.peer, &c.local, &got, &e) != 0)
		fail_msg("%s", e.msg);
	assert_int_equal(got, want);
	end_child(pid, keep);
	/* it is gone: not known, and above all not 0 */
	if (!addr_is_unix(&c.local)) {
		assert_int_equal(peer_uid(c.fd, &c.peer, &c.local, &got, &e), -1);
		assert_int_equal(e.code, ERR_CLIENT_USER);
	}
	close(c.fd);
}

static void loopback_v4(void **state)
{
	struct addr a;
	int ln = kit_listen(&a, "127.0.0.1", 4);

	(void)state;
	check_uid(ln, &a);
	close(ln);
}

static void loopback_v6(void **state)
{
	struct addr a;
	int ln = kit_listen(&a, "::1", 4);

	(void)state;
	check_uid(ln, &a);
	close(ln);
}

/* Our socket takes both families: accept() tells ::ffff:127.0.0.1. */
static void mapped_on_our_side(void **state)
{
	struct addr a, to;
	int ln = kit_listen(&a, "::", 4);

	(void)state;
	assert_int_equal(addr_parse(&to, "127.0.0.1", addr_port(&a)), 0);
	check_uid(ln, &to);
	close(ln);
}

/* The peer's socket is IPv6 and connects to ::ffff:127.0.0.1. */
static void mapped_on_the_peers_side(void **state)
{
	struct addr a, to;
	int ln = kit_listen(&a, "127.0.0.1", 4);

	(void)state;
	assert_int_equal(addr_parse(&to, "::ffff:127.0.0.1", addr_port(&a)), 0);
	check_uid(ln, &to);
	close(ln);
}

static void unix_socket(void **state)
{
	struct addr a;
	struct err e;
	char name[64];
	int ln = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	snprintf(name, sizeof(name), "@pgiam-test-%d", (int)getpid());
	assert_int_equal(addr_unix(&a, name, &e), 0);
	assert_int_equal(bind(ln, (struct sockaddr *)&a.ss, a.len), 0);
	assert_int_equal(listen(ln, 4), 0);
	check_uid(ln, &a);
	close(ln);
}

/* The kernel says 0 for a socket without a process. Who connects and closes at once must not be root. */
static void closed_is_not_root(void **state)
{
	struct addr a;
	struct err e;
	struct conn c;
	uid_t uid = 4711;
	int ln = kit_listen(&a, "127.0.0.1", 4), fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(connect(fd, (struct sockaddr *)&a.ss, a.len), 0);
	assert_int_equal(write(fd, "x", 1), 1);
	c = take(ln);
	assert_int_equal(shutdown(fd, SHUT_WR), 0); /* half closed is still somebody's */
	assert_int_equal(peer_uid(c.fd, &c.peer, &c.local, &uid, &e), 0);
	assert_int_equal(uid, geteuid());
	close(fd);
	uid = 4711;
	assert_int_equal(peer_uid(c.fd, &c.peer, &c.local, &uid, &e), -1);
	assert_int_equal(uid, 4711);
	assert_int_equal(e.code, ERR_CLIENT_USER);
	close(c.fd); /* the peer goes to TIME_WAIT */
	assert_int_equal(peer_uid(c.fd, &c.peer, &c.local, &uid, &e), -1);
	assert_int_equal(uid, 4711);
	close(ln);
}

/* Nothing of ours is at the other end: not even a listener on the peer's port will do. */
static void strangers_are_unknown(void **state)
{
	struct addr peer, local, ln_addr;
	struct err e;
	uid_t uid = 4711;
	int ln = kit_listen(&ln_addr, "127.0.0.1", 4);

	(void)state;
	assert_int_equal(addr_parse(&peer, "192.0.2.1", 1234), 0);
	assert_int_equal(addr_parse(&local, "192.0.2.2", 5432), 0);
	assert_int_equal(peer_uid(-1, &peer, &local, &uid, &e), -1);
	assert_non_null(strstr(e.msg, "192.0.2.1"));
	assert_int_equal(addr_parse(&local, "127.0.0.1", 1), 0);
	assert_int_equal(peer_uid(-1, &ln_addr, &local, &uid, &e), -1);
	assert_int_equal(addr_parse(&local, "::1", 5432), 0); /* mixed up */
	assert_int_equal(peer_uid(-1, &peer, &local, &uid, &e), -1);
	assert_int_equal(uid, 4711);
	close(ln);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loopback_v4),           cmocka_unit_test(loopback_v6),
		cmocka_unit_test(mapped_on_our_side),    cmocka_unit_test(mapped_on_the_peers_side),
		cmocka_unit_test(unix_socket),           cmocka_unit_test(closed_is_not_root),
		cmocka_unit_test(strangers_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
