/* Parts of the proxy alone, on the simulator's loop: whose turn it is to log in, how long a server may live, what is kept
 * warm, and how long a reset is waited for. */
#include "sim.h"
#include "base/map.h"
#include "base/mem.h"
#include "proxy/pool.h"

/* ---- turns ---- */

struct asker {
	struct turn turn;
	char *order;
	char name;
};

static void on_granted(void *arg)
{
	struct asker *a = arg;

	a->order[strlen(a->order)] = a->name;
}

/* One login after the other; everybody who was given a turn wants another. */
static void play(struct sim *s, struct database *d, struct asker *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sim_settle(s);
		database_login_done(d, NULL, GOVERNOR_OK);
		for (size_t k = 0; k < 4; k++)
			turn_ask(&a[k].turn, 0);
	}
}

/* Joe has three pools, ann and bob one each: that gives him no more turns, and his own go round. */
static void turns_go_round_among_users(void **state)
{
	static const char *const users[] = {"joe", "joe", "joe", "ann", "bob"};
	struct sim *s = sim_new();
	struct asker a[5];
	struct database *d;
	char order[16] = "";

	(void)state;
	s->target.login_parallel = 1;
	sim_start(s);
	d = database_new(s->targets[0], s->loop, NULL, NULL);
	for (size_t i = 0; i < 5; i++) {
		a[i] = (struct asker){.order = order, .name = (char)('1' + i)};
		turn_init(&a[i].turn, &d->turns, users[i], on_granted, &a[i]);
		turn_ask(&a[i].turn, 0);
	}
	turn_drop(&a[4].turn); /* bob changes his mind */
	play(s, d, a, 7);
	assert_string_equal(order, "1424341");
	for (size_t i = 0; i < 5; i++)
		turn_fini(&a[i].turn);
	assert_true(turn_queue_empty(&d->turns));
	assert_int_equal(map_count(d->turns.users), 0);
	d->connections = 0;
	database_free(d);
	sim_free(s);
}

/* ---- ages ---- */

static void gone(void *arg)
{
	(void)arg;
}

static struct server *only_server(struct pool *p)
{
	struct list *n = list_first(&p->idle);

	assert_non_null(n);
	return container_of(n, struct server, pool_node);
}

/* The wheel's ticks are coarse: a server may be handed out after its last microsecond and before its deadline fires. */
static void too_old_to_be_handed_out(void **state)
{
	struct sim *s = sim_new();
	struct iobuf_pool *bufs = iobuf_pool_new(1);
	struct server_env env = {
		.login = {.up = {.loop = s->loop, .mail = s->mail, .resolver = s->resolver}, .offload = s->offload},
		.bufs = bufs,
		.closed = gone,
	};
	struct params none;
	struct pool_request rq = {.env = &env, .user = "joe", .database = "app", .startup = &none};
	struct server *server;
	struct pool *p;

	(void)state;
	params_init(&none);
	s->target.min_pool_size = 1;
	sim_start(s);
	rq.db = database_new(s->targets[0], s->loop, NULL, pool_evict);
	p = pool_new(&rq);
	pool_ref(p);
	sim_settle(s);
	server = only_server(p);
	assert_true(server->max_age_us >= 3240 * SEC && server->max_age_us <= 3600 * SEC);
	s->clock.now_us = server->born_us + server->max_age_us - 1;
	assert_true(server_check(server));
	s->clock.now_us++;
	assert_false(server_check(server));
	assert_true(list_empty(&p->idle));
	assert_int_equal(p->total, 0);
	pool_unref(p);
	pool_free(p);
	database_free(rq.db);
	sim_settle(s);
	iobuf_pool_free(bufs);
	sim_free(s);
}

/* ---- kept warm ---- */

static unsigned warm(const char *name, const char *user, const char *dbname)
{
	struct sim *s = sim_new();
	unsigned n;

	free(s->target.name);
	s->target.name = mem_strdup(name);
	s->target.user = mem_strdup(user);
	s->target.dbname = mem_strdup(dbname);
	s->target.min_pool_size = 2;
	sim_start(s);
	sim_settle(s);
	n = fakepg_open(&s->pg);
	if (n > 0) {
		assert_string_equal(fakepg_conn(&s->pg, 0)->user, "joe");
		assert_string_equal(fakepg_conn(&s->pg, 0)->startup.database, dbname ? dbname : name);
	}
	sim_free(s);
	return n;
}

/* Before the first client comes: whatever is known by then. */
static void known_pools_are_kept_warm(void **state)
{
	(void)state;
	assert_int_equal(warm("app", "joe", NULL), 2);
	assert_int_equal(warm("app", "joe", "other"), 2);
	assert_int_equal(warm("*", "joe", "other"), 2);
	assert_int_equal(warm("*", "joe", NULL), 0); /* any database */
	assert_int_equal(warm("app", NULL, "other"), 0); /* any user */
}

/* ---- waiting for a reset ---- */

static void leave_muted(struct sim *s, struct sim_client *c)
{
	s->pg.mute = true;
	sim_say(c, "X");
	sim_settle(s);
	s->pg.mute = false;
}

/* A reset is mostly done at once, and then cheaper than a login. One that hangs is not waited for while there may be more
 * connections. */
static void a_reset_that_hangs_is_not_waited_for(void **state)
{
	(void)state;
	for (int in_transaction = 0; in_transaction < 2; in_transaction++) {
		struct sim *s = sim_new();
		struct sim_client *a, *b;

		s->target.pool_size = 2;
		sim_start(s);
		a = sim_client(s);
		b = sim_client(s);
		sim_query(a, in_transaction ? "BEGIN" : "SELECT 1");
		sim_expect(a, "CZ");
		leave_muted(s, a);
		sim_query(b, "SELECT 1");
		sim_pass(s, 900 * MS);
		assert_int_equal(s->pg.n, 1);
		sim_expect(b, "");
		sim_pass(s, 200 * MS);
		sim_expect(b, "CZ");
		assert_int_equal(s->pg.n, 2);
		sim_pass(s, 10 * SEC);
		assert_true(sim_logged(s, "it did not get free in time"));
		sim_assert_servers(s, 0, 1);
		sim_free(s);
	}
}

static void but_for_as_many_as_there_may_be(void **state)
{
	struct sim *s = sim_new();
	struct sim_client *a, *b;

	(void)state;
	s->target.pool_size = 1;
	sim_start(s);
	a = sim_client(s);
	b = sim_client(s);
	sim_works(a);
	leave_muted(s, a);
	sim_query(b, "SELECT 1");
	sim_pass(s, 5 * SEC);
	assert_int_equal(s->pg.n, 1);
	sim_answer(s, "CZ"); /* late, and good all the same */
	sim_expect(b, "CZ");
	assert_int_equal(s->pg.n, 1);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turns_go_round_among_users),
		cmocka_unit_test(too_old_to_be_handed_out),
		cmocka_unit_test(known_pools_are_kept_warm),
		cmocka_unit_test(a_reset_that_hangs_is_not_waited_for),
		cmocka_unit_test(but_for_as_many_as_there_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
