#include "fakepg.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/mem.h"
#include "pg/frame.h"
#include "pg/message.h"
#include "pg/parse.h"

#define ROWS_AHEAD (256u << 10)

void fakepg_init(struct fakepg *pg)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	char dir[] = "/tmp/pgiam-sim-XXXXXX";

	*pg = (struct fakepg){.accepts = true, .key_bytes = 4};
	buf_init(&pg->cancel_key, 1024);
	if (!mkdtemp(dir))
		abort();
	pg->dir = mem_strdup(dir);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/.s.PGSQL.5432", dir);
	pg->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (pg->fd < 0 || bind(pg->fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 || listen(pg->fd, 512) != 0)
		abort();
}

uint16_t fakepg_tcp(struct fakepg *pg)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sin);

	close(pg->fd);
	pg->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (pg->fd < 0 || bind(pg->fd, (struct sockaddr *)&sin, sizeof(sin)) != 0 || listen(pg->fd, 512) != 0 ||
	    getsockname(pg->fd, (struct sockaddr *)&sin, &len) != 0)
		abort();
	return ntohs(sin.sin_port);
}

static void conn_free(struct fakepg_conn *c)
{
	peer_close(&c->p);
	startup_free(&c->startup);
	buf_free(&c->log);
	buf_free(&c->scram_auth);
	free(c->user);
	free(c);
}

void fakepg_forget(struct fakepg *pg)
{
	for (unsigned i = 0; i < pg->n; i++)
		conn_free(pg->conns[i]);
	pg->n = 0;
}

void fakepg_free(struct fakepg *pg)
{
	char path[128];

	fakepg_forget(pg);
	free(pg->conns);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", pg->dir);
	unlink(path);
	rmdir(pg->dir);
	free(pg->dir);
	buf_free(&pg->cancel_key);
	close(pg->fd);
}

unsigned fakepg_open(const struct fakepg *pg)
{
	unsigned n = 0;

	for (unsigned i = 0; i < pg->n; i++)
		n += pg->conns[i]->p.fd >= 0 && !pg->conns[i]->cancel;
	return n;
}

struct fakepg_conn *fakepg_conn(const struct fakepg *pg, unsigned i)
{
	for (unsigned k = 0; k < pg->n; k++) {
		struct fakepg_conn *c = pg->conns[k];
		if (c->p.fd >= 0 && !c->cancel && i-- == 0)
			return c;
	}
	return NULL;
}

void fakepg_error(struct fakepg_conn *c, const char *severity, const char *sqlstate, const char *text)
{
	message_error(&c->p.out,
	              &(struct message_error){.severity = severity, .sqlstate = sqlstate, .message = text});
}

void fakepg_close(struct fakepg_conn *c)
{
	c->p.close_sent = true;
}

void fakepg_answer(struct fakepg_conn *c, const char *types)
{
	for (; *types; types++) {
		switch (*types) {
		case 'Z': message_ready(&c->p.out, c->tx); break;
		case 'E':
			fakepg_error(c, "ERROR", "22012", "division by zero");
			if (c->tx == 'T')
				c->tx = 'E';
			break;
		case 'C': peer_say(&c->p, "C\0\0\0\7OK", 8); break;
		case 'D': peer_say(&c->p, "D\0\0\0\13\0\1\0\0\0\1x", 12); break;
		case 'T':
		case 't': peer_say(&c->p, *types == 'T' ? "T\0\0\0\6\0\0" : "t\0\0\0\6\0\0", 7); break;
		case 'G':
		case 'W':
		case 'H':
			peer_say(&c->p, *types == 'G' ? "G\0\0\0\7\0\0\0" : *types == 'H' ? "H\0\0\0\7\0\0\0" : "W\0\0\0\7\0\0\0",
			         8);
			break;
		case 'S': message_parameter_status(&c->p.out, "TimeZone", "Mars/Phobos"); break;
		case 'N': message_notice(&c->p.out, &(struct message_error){"NOTICE", "00000", "note", NULL, NULL}); break;
		case 'A': peer_say(&c->p, "A\0\0\0\13\0\0\0\1c\0p\0", 12); break;
		default: {
			char empty[5] = {*types, 0, 0, 0, 4};
			peer_say(&c->p, empty, 5);
			break;
		}
		}
	}
}

const char *fakepg_log(struct fakepg_conn *c)
{
	static char text[4096];

	snprintf(text, sizeof(text), "%.*s", (int)c->log.n, c->log.n ? (const char *)c->log.p : "");
	buf_clear(&c->log);
	return text;
}

/* ---- queries ---- */

/* PARAM name value */
static void say_parameter(struct fakepg_conn *c, const char *text)
{
	char name[64], value[512];

	if (sscanf(text, "%63s %511s", name, value) == 2)
		message_parameter_status(&c->p.out, name, value);
}

static void simple_query(struct fakepg_conn *c, const char *sql)
{
	unsigned long long rows;
	size_t row_bytes;

	if (strcmp(sql, "BEGIN") == 0) {
		c->tx = 'T';
	} else if (strcmp(sql, "COMMIT") == 0 || strcmp(sql, "ROLLBACK") == 0) {
		c->tx = 'I';
	} else if (strcmp(sql, "COPY IN") == 0) {
		c->copy = true;
		c->copy_extended = false;
		fakepg_answer(c, "G");
		return;
	} else if (strcmp(sql, "ERROR") == 0) {
		fakepg_answer(c, "EZ");
		return;
	} else if (strcmp(sql, "FATAL") == 0) {
		fakepg_error(c, "FATAL", "57P01", "terminating connection due to administrator command");
		fakepg_close(c);
		return;
	} else if (strcmp(sql, "HANG") == 0) {
		c->hang = true;
		return;
	} else if (sscanf(sql, "ROWS %llu %zu", &rows, &row_bytes) == 2) {
		c->rows = rows;
		c->row_bytes = row_bytes;
		fakepg_answer(c, "T");
		return;
	} else if (strncmp(sql, "PARAM ", 6) == 0) {
		say_parameter(c, sql + 6);
	} else if (!*sql) {
		fakepg_answer(c, "IZ");
		return;
	}
	fakepg_answer(c, "CZ");
}

static bool copying(struct fakepg_conn *c, uint8_t type)
{
	bool extended = c->copy_extended;

	switch (type) {
	case 'd':
	case 'H':
	case 'S': return true;
	case 'c':
		c->copy = false;
		fakepg_answer(c, extended ? "C" : "CZ");
		return true;
	default:
		c->copy = false;
		c->skip = extended;
		fakepg_answer(c, extended ? "E" : "EZ");
		return true;
	}
}

static void on_message(struct fakepg_conn *c, uint8_t type, struct slice body)
{
	if (type == 'Q')
		buf_printf(&c->log, "Q:%.*s;", body.n < 200 ? (int)body.n - 1 : 200, (const char *)body.p);
	else if (type != 'd')
		buf_printf(&c->log, "%c;", type);
	if (type == 'X') {
		fakepg_close(c);
		return;
	}
	if (type == 'Q' || type == 'E' || type == 'F')
		c->queries++;
	if (c->pg->mute || c->hang)
		return;
	if (c->copy) {
		copying(c, type);
		return;
	}
	if (c->skip && type != 'S')
		return;
	switch (type) {
	case 'Q': simple_query(c, (const char *)body.p); break;
	case 'P': fakepg_answer(c, "1"); break;
	case 'B': fakepg_answer(c, "2"); break;
	case 'D': fakepg_answer(c, "n"); break;
	case 'E': fakepg_answer(c, "C"); break;
	case 'C': fakepg_answer(c, "3"); break;
	case 'F': fakepg_answer(c, "VZ"); break;
	case 'S':
		c->skip = false;
		fakepg_answer(c, "Z");
		break;
	default: break;
	}
}

static bool more_rows(struct fakepg_conn *c)
{
	bool moved = false;

	while (c->rows > 0 && c->p.out.n < ROWS_AHEAD) {
		size_t body = 6 + c->row_bytes;
		unsigned char head[11] = {'D', (unsigned char)((body + 4) >> 24), (unsigned char)((body + 4) >> 16),
		                          (unsigned char)((body + 4) >> 8), (unsigned char)(body + 4), 0, 1,
		                          (unsigned char)(c->row_bytes >> 24), (unsigned char)(c->row_bytes >> 16),
		                          (unsigned char)(c->row_bytes >> 8), (unsigned char)c->row_bytes};
		unsigned char *p;

		peer_say(&c->p, head, sizeof(head));
		p = buf_space(&c->p.out, c->row_bytes);
		memset(p, 'x', c->row_bytes);
		c->p.out.n += c->row_bytes;
		moved = true;
		if (--c->rows == 0)
			fakepg_answer(c, "CZ");
	}
	return moved;
}

static bool session(struct fakepg_conn *c)
{
	bool moved = more_rows(c);
	struct frame f;
	struct slice body;

	while (c->rows == 0 && !c->p.close_sent &&
	       frame_whole(buf_slice(&c->p.in), PEER_MAX, &f, &body) == FRAME_OK) {
		on_message(c, f.type, body);
		buf_drop_front(&c->p.in, FRAME_HEAD_BYTES + (size_t)f.body);
		moved = true;
		more_rows(c);
	}
	return moved;
}

/* ---- connections ---- */

/* accept() itself makes a socket before it looks. */
bool fakepg_waits(const struct fakepg *pg)
{
	struct pollfd p = {.fd = pg->fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static bool accept_some(struct fakepg *pg)
{
	bool moved = false;
	int fd;

	while (pg->accepts && fakepg_waits(pg) && (fd = accept(pg->fd, NULL, NULL)) >= 0) {
		struct fakepg_conn *c = mem_zalloc(sizeof(*c));

		c->pg = pg;
		c->index = pg->n;
		c->pid = 1000 + pg->n;
		c->tx = 'I';
		peer_init(&c->p, fd);
		c->p.step = pg->step;
		buf_init(&c->log, 1u << 20);
		buf_init(&c->scram_auth, 8192);
		if (pg->n == pg->size) {
			pg->size = pg->size ? 2 * pg->size : 16;
			pg->conns = mem_resize(pg->conns, pg->size * sizeof(struct fakepg_conn *));
		}
		pg->conns[pg->n++] = c;
		if (pg->close_at == FAKEPG_ACCEPT)
			c->p.close_sent = true;
		else if (pg->direct_tls)
			peer_tls_accept(&c->p, pg->tls);
		if (pg->error_at == FAKEPG_ACCEPT) {
			fakepg_error(c, "FATAL", pg->sqlstate, "from the first moment");
			c->p.close_sent = true;
		}
		moved = true;
	}
	return moved;
}

/* Is `needle` in what was heard? What was heard before is looked through again until it is taken. */
static bool hears(const struct fakepg_conn *c, const char *needle)
{
	size_t n = strlen(needle);

	for (size_t i = 0; i + n <= c->p.in.n; i++)
		if (memcmp(c->p.in.p + i, needle, n) == 0)
			return true;
	return false;
}

static bool conn_pump(struct fakepg_conn *c)
{
	bool moved = peer_pump(&c->p);

	if (moved && c->pg->watch && hears(c, c->pg->watch))
		c->pg->heard = true;
	if (c->p.fd < 0)
		return moved;
	if (c->ready)
		moved |= session(c);
	else if (!c->p.close_sent && c->pg->silent_at != FAKEPG_ACCEPT)
		moved |= fakepg_login(c);
	if (c->p.eof && c->p.out.n == 0 && !(c->cancel && c->pg->hold_cancel)) {
		peer_close(&c->p);
		return true;
	}
	if (c->pg->die_after > 0 && c->p.got + c->p.sent >= c->pg->die_after) {
		peer_close(&c->p);
		return true;
	}
	return moved;
}

bool fakepg_pump(struct fakepg *pg)
{
	bool moved = accept_some(pg);

	for (unsigned i = 0; i < pg->n; i++)
		moved |= conn_pump(pg->conns[i]);
	return moved;
}
