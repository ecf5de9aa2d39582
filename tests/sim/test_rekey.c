/* Slow readers that ask for new keys (TLS 1.3, KeyUpdate) while pgiam has a record for them that the socket does not
 * take: a client in the middle of its rows, a server in the middle of a COPY. */
#include "sim.h"
#include <signal.h>
#include "../unit/io/kit.h"
#include "base/mem.h"

struct fixture {
	struct kit_tls tls;
	SSL_CTX *client, *server;
};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	signal(SIGPIPE, SIG_IGN); /* OpenSSL's socket BIO writes to what was closed */
	kit_tls_init(&f->tls, "db.test", "DNS:db.test");
	f->client = SSL_CTX_new(TLS_client_method());
	f->server = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(f->server, f->tls.server.x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(f->server, f->tls.server.key), 1);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	SSL_CTX_free(f->client);
	SSL_CTX_free(f->server);
	kit_tls_fini(&f->tls);
	free(f);
	return 0;
}

/* Twice: OpenSSL puts off its answer until it writes, or hears of this again. */
static void ask_for_new_keys(struct sim *s, struct peer *p)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(SSL_key_update(p->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(p->ssl), 1);
		sim_settle(s);
	}
	assert_false(p->eof);
}

static void a_client_in_its_rows(void **state)
{
	struct fixture *f = *state;
	struct tls_live *live = tls_live_new(tls_ctx_ref(f->tls.server_ctx));
	struct sim *s = sim_new();
	struct sim_client *c;

	s->opts.client_tls = live;
	sim_start(s);
	c = sim_connect(s);
	c->expect_byte = true;
	startup_write_ssl_request(&c->p.out);
	sim_settle(s);
	assert_int_equal(c->byte, 'S');
	peer_tls_connect(&c->p, f->client);
	startup_write_message(&c->p.out, STARTUP_3_0, "joe", "app", NULL, NULL);
	sim_expect(c, "RSKZ");
	c->p.deaf = true;
	sim_query(c, "ROWS 5000 1000");
	sim_settle(s);
	ask_for_new_keys(s, &c->p);
	assert_true(sim_stats(s)->iobufs <= 2);
	c->p.deaf = false;
	sim_expect(c, "TDCZ");
	assert_int_equal(c->rows, 5000);
	sim_works(c);
	sim_free(s);
	tls_live_unref(live);
}

static void a_server_in_a_copy(void **state)
{
	struct fixture *f = *state;
	struct sim *s = sim_new();
	struct sim_client *c;
	struct fakepg_conn *pg;
	static char data[1000];

	s->target.tls = tls_live_new(tls_ctx_ref(f->tls.client_ctx));
	s->pg.tls = f->server;
	sim_start(s);
	c = sim_client(s);
	sim_query(c, "COPY IN");
	sim_expect(c, "G");
	pg = sim_server(s);
	pg->p.deaf = true;
	for (int i = 0; i < 3000; i++) {
		sim_send(c, "d\0\0\3\354", 5);
		sim_send(c, data, sizeof(data));
	}
	sim_settle(s);
	assert_true(c->p.out.n > 0); /* pgiam does not take all of it */
	ask_for_new_keys(s, &pg->p);
	pg->p.deaf = false;
	sim_say(c, "c");
	sim_expect(c, "CZ");
	sim_works(c);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_in_its_rows),
		cmocka_unit_test(a_server_in_a_copy),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
