#include "config.h"
#include "kit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/dial.h"

/* Names the fake resolver knows: "127.0.0.1,127.0.0.2" is what it says; "hang" never ends until let go. */
static atomic_bool let_go;

static int fake_lookup(const char *name, struct addr *out, size_t max, struct err *e)
{
	char *copy = mem_strdup(name), *rest = copy, *word;
	size_t n = 0;

	if (strcmp(name, "hang") == 0)
		while (!let_go)
			usleep(1000);
	while ((word = strsep(&rest, ",")) && n < max)
		if (addr_parse(&out[n], word, 0) == 0)
			n++;
	free(copy);
	return n ? (int)n : err_set(e, ERR_RESOLVE, "no such name as %s", name);
}

struct fixture {
	struct loop *l;
	struct mailbox *mb;
	struct resolver *r;
};

static int setup(void **state)
{
	struct resolver_opts o = {.threads = 2, .max_pending = 10, .lookup = fake_lookup};
	struct fixture *f = mem_zalloc(sizeof(*f));
	struct err e;

	f->l = kit_loop();
	f->mb = mailbox_new(f->l, NULL, &e);
	f->r = resolver_new(&o, clock_system(), &e);
	assert_non_null(f->r);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	let_go = true;
	resolver_free(f->r);
	mailbox_close(f->mb);
	mailbox_unref(f->mb);
	loop_free(f->l);
	free(f);
	return 0;
}

struct call {
	struct dial *d;
	unsigned calls;
	struct dial_result r;
	struct err err;
};

static void on_dialled(void *arg, const struct dial_result *r, const struct err *e)
{
	struct call *c = arg;

	c->d = NULL;
	c->calls++;
	assert_true(!r != !e);
	c->r = r ? *r : (struct dial_result){.fd = -1};
	c->err = e ? *e : (struct err){0};
}

static void start(struct fixture *f, struct call *c, struct dial_opts o)
{
	*c = (struct call){0};
	if (!o.timeout_us)
		o.timeout_us = 5 * CLOCK_US_PER_SEC;
	c->d = dial_start(f->l, f->r, f->mb, &o, on_dialled, c);
	assert_non_null(c->d);
	assert_int_equal(c->calls, 0);
}

static struct call dial(struct fixture *f, struct dial_opts o)
{
	struct call c;

	start(f, &c, o);
	kit_until(f->l, !c.d);
	assert_int_equal(c.calls, 1);
	return c;
}

/* A port of 127.0.0.1 where nobody listens: it is bound and kept. */
static int dead_port(uint16_t *port)
{
	struct addr a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr_parse(&a, "127.0.0.1", 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a.ss, a.len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a.ss, &a.len), 0);
	*port = addr_port(&a);
	return fd;
}

/* A listener that answers nobody any more: its queue is full, the kernel drops every further SYN. */
struct hole {
	struct addr addr;
	int fd[8];
};

static void hole_open(struct hole *h, const char *ip, uint16_t port)
{
	assert_int_equal(addr_parse(&h->addr, ip, port), 0);
	h->fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(h->fd[0], (struct sockaddr *)&h->addr.ss, h->addr.len), 0);
	assert_int_equal(listen(h->fd[0], 0), 0);
	assert_int_equal(getsockname(h->fd[0], (struct sockaddr *)&h->addr.ss, &h->addr.len), 0);
	for (int i = 1; i < 8; i++) {
		h->fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(h->fd[i], (struct sockaddr *)&h->addr.ss, h->addr.len);
	}
	usleep(20000);
}

static void hole_close(struct hole *h)
{
	for (int i = 0; i < 8; i++)
		close(h->fd[i]);
}

static int option(int fd, int level, int name)
{
	int v = -1;
	socklen_t n = sizeof(v);

	assert_int_equal(getsockopt(fd, level, name, &v, &n), 0);
	return v;
}

/* ---- tests ---- */

static void connects(void **state)
{
	struct addr a;
	int ln = kit_listen(&a, "127.0.0.1", 4);
	struct call c = dial(*state, (struct dial_opts){.host = "127.0.0.1",
							.port = addr_port(&a),
							.keepalive = true,
							.keepidle_sec = 77,
							.keepcnt = 3,
							.user_timeout_ms = 4321});

	assert_true(c.r.fd >= 0);
	assert_int_equal(addr_port(&c.r.peer), addr_port(&a));
	assert_true(fcntl(c.r.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(c.r.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(option(c.r.fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option(c.r.fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option(c.r.fd, IPPROTO_TCP, TCP_KEEPIDLE), 77);
	assert_int_equal(option(c.r.fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
	assert_int_equal(option(c.r.fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 4321);
	close(c.r.fd);
	close(ln);
}

static void hostaddr_wins(void **state)
{
	struct addr a;
	int ln = kit_listen(&a, "127.0.0.1", 4);
	struct call c = dial(
		*state,
		(struct dial_opts){.host = "no-such-name", .hostaddr = "127.0.0.1", .port = addr_port(&a)});

	assert_true(c.r.fd >= 0);
	assert_int_equal(option(c.r.fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	close(c.r.fd);
	close(ln);
	c = dial(*state, (struct dial_opts){.host = "x", .hostaddr = "not-an-ip", .port = 1});
	assert_int_equal(c.err.code, ERR_RESOLVE);
}

static void unix_directory(void **state)
{
	struct fixture *f = *state;
	char *dir = kit_dir_new(), *path = mem_printf("%s/.s.PGSQL.6543", dir);
	int ln = socket(AF_UNIX, SOCK_STREAM, 0), fd[3];
	struct addr a;
	struct err e;
	struct call c;

	assert_int_equal(addr_unix(&a, path, &e), 0);
	assert_int_equal(bind(ln, (struct sockaddr *)&a.ss, a.len), 0);
	assert_int_equal(listen(ln, 0), 0);
	c = dial(f, (struct dial_opts){.host = dir, .port = 6543});
	assert_true(c.r.fd >= 0);
	assert_true(addr_is_unix(&c.r.peer));
	/* its queue is full: goes on trying, and gets through when there is room */
	start(f, &c, (struct dial_opts){.host = dir, .port = 6543});
	fd[0] = c.r.fd;
	kit_for(f->l, 100000);
	assert_int_equal(c.calls, 0);
	fd[1] = accept(ln, NULL, NULL);
	kit_until(f->l, !c.d);
	assert_true(c.r.fd >= 0);
	close(c.r.fd);
	close(fd[1]);
	(void)fd[0];
	close(ln);
	c = dial(f, (struct dial_opts){.host = dir, .port = 6543});
	assert_int_equal(c.err.code, ERR_CONNECT);
	assert_non_null(strstr(c.err.detail, path));
	c = dial(f, (struct dial_opts){.host = dir, .port = 6544});
	assert_non_null(strstr(c.err.msg, "No such file"));
	free(path);
	kit_dir_free(dir);
}

static void refused_then_working(void **state)
{
	uint16_t port;
	int dead = dead_port(&port), ln = socket(AF_INET, SOCK_STREAM, 0);
	struct addr a;
	struct call c;

	addr_parse(&a, "127.0.0.2", port);
	assert_int_equal(bind(ln, (struct sockaddr *)&a.ss, a.len), 0);
	assert_int_equal(listen(ln, 4), 0);
	c = dial(*state, (struct dial_opts){.host = "127.0.0.1,127.0.0.2", .port = port});
	assert_true(c.r.fd >= 0);
	assert_true(c.r.connect_us < 200000); /* at once, not after the pause */
	assert_memory_equal(&c.r.peer.ss, &a.ss, sizeof(struct sockaddr_in));
	close(c.r.fd);
	close(ln);
	close(dead);
}

static void all_refused(void **state)
{
	uint16_t port;
	int dead = dead_port(&port);
	struct call c = dial(*state, (struct dial_opts){.host = "127.0.0.1,127.0.0.3,::1", .port = port});
	char want[400];

	assert_int_equal(c.err.code, ERR_CONNECT);
	snprintf(want, sizeof(want), "cannot connect to 127.0.0.1,127.0.0.3,::1 port %u: Connection refused",
		 port);
	assert_string_equal(c.err.msg, want);
	snprintf(want, sizeof(want),
		 "127.0.0.1:%u: Connection refused; 127.0.0.3:%u: Connection refused; [::1]:%u: Connection "
		 "refused.",
		 port, port, port);
	assert_string_equal(c.err.detail, want);
	close(dead);
}

static void unknown_name(void **state)
{
	struct call c = dial(*state, (struct dial_opts){.host = "nowhere", .port = 1});

	assert_int_equal(c.err.code, ERR_RESOLVE);
	assert_string_equal(c.err.msg, "no such name as nowhere");
}

/* The first address swallows everything; the second is tried beside it after a moment. */
static void black_hole_and_working(void **state)
{
	struct hole h;
	struct addr a;
	struct call c;
	int ln;

	hole_open(&h, "127.0.0.1", 0);
	addr_parse(&a, "127.0.0.2", addr_port(&h.addr));
	ln = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(ln, (struct sockaddr *)&a.ss, a.len), 0);
	assert_int_equal(listen(ln, 4), 0);
	c = dial(*state, (struct dial_opts){.host = "127.0.0.1,127.0.0.2", .port = addr_port(&a)});
	assert_true(c.r.fd >= 0);
	assert_in_range(c.r.connect_us, 240000, 1500000);
	close(c.r.fd);
	close(ln);
	hole_close(&h);
}

static void black_hole_times_out(void **state)
{
	struct hole h;
	struct call c;
	uint64_t before;
	char want[64];

	hole_open(&h, "127.0.0.1", 0);
	before = kit_now_us();
	c = dial(*state, (struct dial_opts){.host = "127.0.0.1,127.0.0.1",
					    .port = addr_port(&h.addr),
					    .timeout_us = 600000});
	assert_in_range(kit_now_us() - before, 590000, 2000000);
	assert_int_equal(c.err.code, ERR_CONNECT_TIMEOUT);
	assert_non_null(strstr(c.err.msg, "no connection within 0.6 s"));
	snprintf(want, sizeof(want), "127.0.0.1:%u: no answer; ", addr_port(&h.addr));
	assert_non_null(strstr(c.err.detail, want));
	hole_close(&h);
}

/* The process was stopped between the start and the next turn. */
static void over_before_it_began(void **state)
{
	struct fixture *f = *state;
	struct call c;

	start(f, &c, (struct dial_opts){.host = "/nowhere", .port = 5432, .timeout_us = 1000});
	usleep(3 * LOOP_TICK_US);
	kit_until(f->l, !c.d);
	assert_int_equal(c.err.code, ERR_CONNECT_TIMEOUT);
	assert_string_equal(c.err.detail, "");
}

static void resolving_counts(void **state)
{
	struct call c = dial(*state, (struct dial_opts){.host = "hang", .port = 1, .timeout_us = 200000});

	assert_int_equal(c.err.code, ERR_RESOLVE);
	assert_non_null(strstr(c.err.msg, "no answer within 0.2 s"));
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void cancels_in_any_phase(void **state)
{
	struct fixture *f = *state;
	struct hole h;
	struct call c[5];
	unsigned before;

	dial_cancel(NULL);
	hole_open(&h, "127.0.0.1", 0);
	before = open_descriptors();
	start(f, &c[0], (struct dial_opts){.host = "hang", .port = 1}); /* while it resolves */
	kit_for(f->l, 20000);
	dial_cancel(c[0].d);
	start(f, &c[1], (struct dial_opts){.host = "/nowhere", .port = 1}); /* before the first turn */
	dial_cancel(c[1].d);
	start(f, &c[2], (struct dial_opts){.host = "127.0.0.1", .port = addr_port(&h.addr)}); /* connecting */
	start(f, &c[3], (struct dial_opts){.host = "127.0.0.1,127.0.0.1", .port = addr_port(&h.addr)});
	kit_for(f->l, 400000); /* both addresses of the second are under way */
	assert_int_equal(open_descriptors(), before + 3);
	dial_cancel(c[2].d);
	dial_cancel(c[3].d);
	start(f, &c[4],
	      (struct dial_opts){.host = "127.0.0.1", .port = addr_port(&h.addr)}); /* its literal */
	dial_cancel(c[4].d);
	kit_for(f->l, 50000);
	for (int i = 0; i < 5; i++)
		assert_int_equal(c[i].calls, 0);
	assert_int_equal(open_descriptors(), before);
	hole_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects),
		cmocka_unit_test(hostaddr_wins),
		cmocka_unit_test(unix_directory),
		cmocka_unit_test(refused_then_working),
		cmocka_unit_test(all_refused),
		cmocka_unit_test(unknown_name),
		cmocka_unit_test(black_hole_and_working),
		cmocka_unit_test(black_hole_times_out),
		cmocka_unit_test(over_before_it_began),
		cmocka_unit_test(resolving_counts),
		cmocka_unit_test(cancels_in_any_phase),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
