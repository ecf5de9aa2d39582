/* A client's bytes, from the first one, to a whole proxy with a willing server behind it: startup packets, TLS and cancel
 * requests, and the beginning of a session, cut into reads as the input says. Nothing may assert, leak, hang or be left
 * behind.
 *
 * The input: a byte of choices, then pieces, each with a byte in front: what to do with it and how long it is. */
#include "../sim/sim.h"
#include <sys/socket.h>
#include "base/rd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TLS = 1, TLS_REQUIRED = 2, WELCOMED = 4, FEW_CLIENTS = 8, IDLE_TIMEOUT = 16, NO_SERVER = 32 };

static void choose(struct sim *s, struct tls_live *tls, uint8_t choices)
{
	s->opts.client_tls = choices & TLS ? tls : NULL;
	s->opts.client_tls_required = choices & TLS_REQUIRED;
	s->opts.max_client_conn = choices & FEW_CLIENTS ? 1 : 20;
	s->opts.client_idle_timeout_us = choices & IDLE_TIMEOUT ? 3 * SEC : 0;
	s->pg.close_at = choices & NO_SERVER ? FAKEPG_STARTUP : FAKEPG_NEVER;
}

static void piece(struct sim *s, struct sim_client **c, struct rd *r)
{
	uint8_t op = rd_u8(r);
	size_t n = op & 63;
	struct slice b;

	switch (op >> 6) {
	case 0:
	case 1:
	case 2:
		if (n == 63)
			n = 300;
		b = rd_bytes(r, n < r->left ? n : r->left);
		if (b.n > 0)
			sim_send(*c, b.p, b.n);
		if (op >> 6 != 2)
			sim_settle(s);
		return;
	default: break;
	}
	switch (n % 6) {
	case 0: sim_pass(s, 1 * SEC); return;
	case 1: sim_pass(s, 61 * SEC); return;
	case 2:
		if ((*c)->p.fd >= 0)
			shutdown((*c)->p.fd, SHUT_WR);
		return;
	case 3: (*c)->p.deaf = !(*c)->p.deaf; return;
	case 4:
		if (s->n < 6)
			*c = sim_connect(s);
		(*c)->expect_raw = true;
		return;
	default: sim_vanish(*c); return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_live *tls;
	static struct sim *s;
	struct rd r = rd_init(slice_of(data, size));
	uint8_t choices = rd_u8(&r);
	struct sim_client *c;

	if (!s) {
		struct tls_ctx *ctx;
		struct err e;

		s = sim_new();
		s->patience = 2;
		s->steps = 5;
		ctx = tls_server_ctx_new(&(struct tls_opts){.host_name = "localhost"}, &e);
		if (!ctx)
			abort();
		tls = tls_live_new(ctx);
	}
	choose(s, tls, choices);
	sim_start(s);
	if (choices & WELCOMED)
		c = sim_login(s, "joe", NULL);
	else
		c = sim_connect(s);
	c->expect_raw = true; /* 'S' and 'N' are no messages */
	sim_settle(s);
	for (unsigned i = 0; i < 200 && r.left > 0; i++)
		piece(s, &c, &r);
	sim_end(s);
	return 0;
}
