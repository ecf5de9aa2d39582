/* Clients of the simulator. They remember what kind of messages came, and of the rest only what tests ask for. */
#include "config.h" /* for accept4 */
#include "sim.h"

#include <stdio.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"
#include "pg/frame.h"
#include "pg/message.h"
#include "pg/parse.h"

/* Fills the way to the client up, as if it read nothing. */
static void fill_up(int fd)
{
	static const char junk[4096];

	while (send(fd, junk, sizeof(junk), MSG_NOSIGNAL) > 0)
		;
}

/* Takes fd: the client's end and pgiam's. */
static struct sim_client *connected(struct sim *s, const int fd[2], const char *ip)
{
	struct sim_client *c = mem_zalloc(sizeof(*c));
	struct addr peer, local;

	assert_true(s->n < SIM_CLIENTS);
	if (addr_parse(&peer, ip, 40000) != 0 || addr_parse(&local, "127.0.0.1", 5432) != 0)
		abort();
	c->sim = s;
	peer_init(&c->p, fd[0]);
	params_init(&c->params);
	buf_init(&c->kept, 10000);
	s->clients[s->n++] = c;
	proxy_accept(s->proxy, fd[1], &peer, &local);
	return c;
}

static void local_pair(int fd[2])
{
	int small = 65536;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) != 0)
		abort();
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
}

struct sim_client *sim_connect(struct sim *s)
{
	int fd[2];

	local_pair(fd);
	return connected(s, fd, "127.0.0.1");
}

struct sim_client *sim_connect_remote(struct sim *s)
{
	int fd[2];

	local_pair(fd);
	return connected(s, fd, "192.0.2.1");
}

struct sim_client *sim_connect_deaf(struct sim *s)
{
	struct sim_client *c;
	int fd[2];

	local_pair(fd);
	fill_up(fd[1]);
	c = connected(s, fd, "127.0.0.1");
	c->p.deaf = true;
	return c;
}

struct sim_client *sim_connect_tcp(struct sim *s)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sin);
	int fd[2], listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 1;

	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd[0], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (bind(listening, (struct sockaddr *)&sin, sizeof(sin)) != 0 || listen(listening, 1) != 0 ||
	    getsockname(listening, (struct sockaddr *)&sin, &len) != 0 || connect(fd[0], (struct sockaddr *)&sin, len) != 0)
		abort();
	fd[1] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	close(listening);
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	return connected(s, fd, "127.0.0.1");
}

static void startup(struct sim_client *c, const char *user, const char *const *more)
{
	struct params p;

	params_init(&p);
	for (; more && *more; more += 2)
		params_set(&p, slice_str(more[0]), slice_str(more[1]));
	startup_write_message(&c->p.out, STARTUP_3_0, user, "app", &p, NULL);
	params_free(&p);
}

struct sim_client *sim_login_version(struct sim *s, uint32_t version, const char *const *pq)
{
	struct sim_client *c = sim_connect(s);
	struct params p;

	params_init(&p);
	for (; pq && *pq; pq += 2)
		params_add(&p, slice_str(pq[0]), slice_str(pq[1]));
	startup_write_message(&c->p.out, version, "joe", "app", NULL, &p);
	params_free(&p);
	return c;
}

struct sim_client *sim_login(struct sim *s, const char *user, const char *const *more)
{
	struct sim_client *c = sim_connect(s);

	startup(c, user, more);
	return c;
}

struct sim_client *sim_client_as(struct sim *s, const char *user)
{
	struct sim_client *c = sim_login(s, user, NULL);

	sim_expect(c, "RSKZ");
	return c;
}

struct sim_client *sim_client(struct sim *s)
{
	return sim_client_as(s, "joe");
}

void sim_send(struct sim_client *c, const void *bytes, size_t n)
{
	peer_say(&c->p, bytes, n);
}

char sim_request(struct sim_client *c, const char *packet)
{
	c->byte = 0;
	c->expect_byte = true;
	sim_send(c, packet, 8);
	sim_settle(c->sim);
	return c->byte;
}

void sim_query(struct sim_client *c, const char *sql)
{
	message_query(&c->p.out, sql);
}

void sim_say(struct sim_client *c, const char *types)
{
	static const struct {
		char type;
		const char *body;
		size_t n;
	} bodies[] = {
		{'Q', "SELECT 1", 9          },
                {'P', "\0SELECT 1\0\0", 12},
                {'B', "\0\0\0\0\0\0\0", 8 },
		{'D', "S",        2          },
                {'E', "\0\0\0\0", 5          },
                {'C', "S",        2          },
		{'F', "\0\0\0\1\0\0\0\0\0", 10},
                {'d', "data\n",   5          },
                {'f', "no",       3          },
	};

	for (; *types; types++) {
		const char *body = "";
		unsigned char head[5] = {(unsigned char)*types, 0, 0, 0, 4};

		for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
			if (bodies[i].type == *types) {
				body = bodies[i].body;
				head[4] = (unsigned char)(4 + bodies[i].n);
			}
		}
		sim_send(c, head, 5);
		sim_send(c, body, head[4] - 4u);
	}
}

void sim_leave(struct sim_client *c)
{
	sim_say(c, "X");
	sim_settle(c->sim);
}

struct sim_client *sim_cancel(struct sim *s, const struct sim_client *of)
{
	struct sim_client *c = sim_connect(s);

	startup_write_cancel(&c->p.out, of->pid, slice_of(of->key, of->key_bytes));
	return c;
}

void sim_vanish(struct sim_client *c)
{
	peer_close(&c->p);
}

/* ---- what comes back ---- */

static void note(struct sim_client *c, char type)
{
	if (c->said_n > 0 && c->said[c->said_n - 1] == type && strchr("DdSNA", type))
		return;
	assert_true(c->said_n < sizeof(c->said) - 1);
	c->said[c->said_n++] = type;
	c->said[c->said_n] = '\0';
}

static void copy_text(char *out, size_t size, struct slice s)
{
	snprintf(out, size, "%.*s", (int)s.n, s.n ? (const char *)s.p : "");
}

static void look(struct sim_client *c, uint8_t type, struct slice body)
{
	struct parse_error pe;
	struct slice name, value, key;

	switch (type) {
	case 'E':
		assert_int_equal(parse_error(body, &pe), 0);
		copy_text(c->severity, sizeof(c->severity), pe.severity);
		copy_text(c->sqlstate, sizeof(c->sqlstate), pe.sqlstate);
		copy_text(c->text, sizeof(c->text), pe.message);
		copy_text(c->detail, sizeof(c->detail), pe.detail);
		copy_text(c->hint, sizeof(c->hint), pe.hint);
		break;
	case 'R':
		assert_true(body.n <= sizeof(c->auth));
		memcpy(c->auth, body.p, body.n);
		c->auth_n = body.n;
		break;
	case 'Z': c->tx = parse_ready(body); break;
	case 'S':
		assert_int_equal(parse_parameter_status(body, &name, &value), 0);
		params_set(&c->params, name, value);
		break;
	case 'K':
		assert_int_equal(parse_backend_key(body, &c->pid, &key), 0);
		memcpy(c->key, key.p, key.n);
		c->key_bytes = key.n;
		break;
	case 'v':
		buf_clear(&c->kept);
		buf_add_slice(&c->kept, body);
		break;
	default: break;
	}
}

/* One message or part of one; false if there is not enough yet. */
static bool take(struct sim_client *c)
{
	struct slice in = buf_slice(&c->p.in), body;
	enum frame_status st;
	struct frame f;

	if (in.n == 0)
		return false;
	if (c->expect_raw) {
		buf_add_slice(&c->kept, in);
		buf_clear(&c->p.in);
		return true;
	}
	if (c->remain > 0) {
		size_t n = in.n < c->remain ? in.n : c->remain;
		c->remain -= (uint32_t)n;
		buf_drop_front(&c->p.in, n);
		return true;
	}
	if (c->expect_byte) {
		c->expect_byte = false;
		c->byte = (char)in.p[0];
		buf_drop_front(&c->p.in, 1);
		return true;
	}
	st = frame_head(in, &f);
	if (st == FRAME_PARTIAL)
		return false;
	if (st != FRAME_OK)
		fail_msg("a client was sent something that is no message");
	if (strchr("DdTNA", f.type)) {
		c->remain = f.body;
		buf_drop_front(&c->p.in, FRAME_HEAD_BYTES);
		c->rows += f.type == 'D';
	} else {
		if (frame_whole(in, 1u << 20, &f, &body) != FRAME_OK)
			return false;
		look(c, f.type, body);
		buf_drop_front(&c->p.in, FRAME_HEAD_BYTES + (size_t)f.body);
	}
	c->messages++;
	note(c, (char)f.type);
	return true;
}

bool sim_client_pump(struct sim_client *c)
{
	bool moved = peer_pump(&c->p);

	while (take(c))
		moved = true;
	return moved;
}

bool sim_closed(const struct sim_client *c)
{
	return c->p.fd < 0 || c->p.eof;
}

void sim_expect(struct sim_client *c, const char *types)
{
	sim_settle(c->sim);
	if (strcmp(c->said, types) != 0)
		fail_msg("a client was told \"%s\" (%s %s), not \"%s\"", c->said, c->sqlstate, c->text, types);
	c->said_n = 0;
	c->said[0] = '\0';
}

void sim_expect_fatal(struct sim_client *c, const char *sqlstate, const char *text)
{
	sim_settle(c->sim);
	if (c->said_n == 0 || c->said[c->said_n - 1] != 'E' || strcmp(c->severity, "FATAL") != 0 ||
	    strcmp(c->sqlstate, sqlstate) != 0 || !strstr(c->text, text) || !sim_closed(c))
		fail_msg("a client was told \"%s\", %s %s %s, %s; not FATAL %s %s", c->said, c->severity, c->sqlstate,
		         c->text, sim_closed(c) ? "and closed" : "and not closed", sqlstate, text);
	/* nothing of a message may be left hanging */
	assert_int_equal(c->remain, 0);
	assert_int_equal(c->p.in.n, 0);
	c->said_n = 0;
	c->said[0] = '\0';
}

void sim_works(struct sim_client *c)
{
	sim_query(c, "SELECT 1");
	sim_expect(c, "CZ");
}

struct sim_client *sim_hanging(struct sim *s)
{
	struct sim_client *c = sim_client(s);

	sim_query(c, "HANG");
	sim_settle(s);
	return c;
}
