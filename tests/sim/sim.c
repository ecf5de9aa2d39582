#include "sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"

/* ---- clock and log ---- */

static uint64_t mono_us(const struct clock *c)
{
	return ((const struct sim_clock *)(const void *)c)->now_us;
}

static int64_t wall_us(const struct clock *c)
{
	return 1700000000 * (int64_t)SEC + (int64_t)mono_us(c);
}

static void log_line(void *arg, const char *line, size_t n)
{
	struct sim *s = arg;

	if (getenv("SIM_LOG"))
		fprintf(stderr, "%.*s", (int)n, line);
	if (s->log_text.n > (1u << 20))
		buf_clear(&s->log_text);
	buf_add(&s->log_text, line, n);
}

bool sim_logged(struct sim *s, const char *text)
{
	return strstr(buf_cstr(&s->log_text), text) != NULL;
}

/* ---- secrets ---- */

struct secret_op {
	struct list node; /* sim_secret.open */
	struct sim_secret *source;
	struct defer later;
	secret_cb cb;
	void *arg;
};

static void secret_end(struct secret_op *op)
{
	op->source->pending--;
	list_del(&op->node);
	defer_clear(&op->later);
	free(op);
}

static void secret_answer(void *arg)
{
	struct secret_op *op = arg;
	struct sim_secret *s = op->source;
	secret_cb cb = op->cb;
	void *cb_arg = op->arg;
	struct err e;

	if (s->silent)
		return;
	s->away = s->error != NULL;
	secret_end(op);
	if (s->error) {
		err_set(&e, s->error_code ? s->error_code : ERR_CREDENTIALS, "%s", s->error);
		cb(cb_arg, NULL, &e);
	} else {
		cb(cb_arg, &(struct secret_answer){.secret = slice_str(s->secret), .user = s->user, .no = s->asked}, NULL);
	}
}

static struct secret_op *secret_start(struct secret_source *src, const struct secret_request *rq, secret_cb cb,
                                      void *arg)
{
	struct sim_secret *s = (struct sim_secret *)src;
	struct secret_op *op = mem_zalloc(sizeof(*op));

	(void)rq;
	*op = (struct secret_op){.source = s, .cb = cb, .arg = arg};
	defer_init(&op->later, s->loop, secret_answer, op);
	defer_set(&op->later);
	list_add_tail(&s->open, &op->node);
	s->asked++;
	s->pending++;
	return op;
}

void sim_secret_answer(struct sim *s)
{
	list_each(node, tmp, &s->secret.open) defer_set(&container_of(node, struct secret_op, node)->later);
}

static void secret_cancel(struct secret_op *op)
{
	op->source->away = true;
	secret_end(op);
}

static bool secret_first(struct secret_source *src, const struct secret_request *rq)
{
	const struct sim_secret *s = (const struct sim_secret *)src;

	(void)rq;
	return s->names_user || s->away;
}

static bool secret_refused(struct secret_source *src, uint64_t no)
{
	struct sim_secret *s = (struct sim_secret *)src;

	s->refused++;
	s->refused_no = no;
	return s->retry;
}

static void secret_explain(struct secret_source *src, const struct secret_request *rq, uint64_t no, struct err *e)
{
	(void)rq;
	(void)no;
	((struct sim_secret *)src)->explained++;
	err_detail(e, "Explained.");
}

/* ---- the world ---- */

struct sim *sim_new(void)
{
	struct sim *s = mem_zalloc(sizeof(*s));
	struct resolver_opts ro = {.threads = 1, .max_pending = 4};
	struct err e;

	s->patience = 6;
	s->steps = 500;
	s->clock = (struct sim_clock){.clock = {mono_us, wall_us}, .now_us = 1000 * SEC};
	buf_init(&s->log_text, 2u << 20);
	s->log = log_new(&s->clock.clock, LOG_DEBUG, LOG_KEY_VALUE, log_line, s);
	s->loop = loop_new(&s->clock.clock, s->log, &e);
	s->mail = mailbox_new(s->loop, NULL, &e);
	s->resolver = resolver_new(&ro, &s->clock.clock, &e);
	s->offload = offload_new(64, &e);
	if (!s->loop || !s->mail || !s->resolver || !s->offload)
		abort();
	fakepg_init(&s->pg);
	s->secret = (struct sim_secret){
		.ops = {.kind = SECRET_PASSWORD,
		        .first = secret_first,
		        .start = secret_start,
		        .cancel = secret_cancel,
		        .refused = secret_refused,
		        .explain = secret_explain},
		.loop = s->loop,
		.secret = "sesame",
	};
	list_init(&s->secret.open);
	s->secret.base.ops = &s->secret.ops;
	s->sources[0] = &s->secret.base;
	s->target = (struct target){
		.name = mem_strdup("app"),
		.host = mem_strdup(s->pg.dir),
		.tls_name = mem_strdup("db.test"),
		.iam_host = mem_strdup("db.test"),
		.port = 5432,
		.iam_port = 5432,
		.auth = TARGET_AUTH_NONE,
		.profile = profile_get(PROFILE_POSTGRES),
		.min_protocol = STARTUP_3_0,
		.max_protocol = STARTUP_3_0,
		.reset_query = mem_strdup("DISCARD ALL"),
		.pool_size = 4,
		.server_lifetime_us = 3600 * SEC,
		.server_connect_timeout_us = 15 * SEC,
		.query_wait_timeout_us = 120 * SEC,
		.login_retry_us = 1 * SEC,
		.login_parallel = 4,
	};
	s->opts = (struct proxy_opts){
		.max_client_conn = 300,
		.max_logins = 300,
		.max_pools = 50,
		.client_login_timeout_us = 60 * SEC,
		.cancel_wait_timeout_us = 10 * SEC,
		.workers = 1,
	};
	return s;
}

static void on_route(void *arg, uint32_t worker, uint64_t no, uint32_t pid, struct slice secret)
{
	struct sim *s = arg;

	(void)secret;
	s->routed.count++;
	s->routed.worker = worker;
	s->routed.pid = pid;
	s->routed.no = no;
}

void sim_start(struct sim *s)
{
	struct proxy_deps d = {.loop = s->loop,
	                       .mail = s->mail,
	                       .resolver = s->resolver,
	                       .offload = s->offload,
	                       .secrets = s->sources,
	                       .route = on_route,
	                       .route_arg = s};

	s->target.dial.timeout_us = s->target.server_connect_timeout_us;
	if (!s->targets[0])
		s->targets[0] = target_new(&s->target);
	s->stopped = false;
	s->opts.targets = s->targets;
	s->opts.target_count = 1;
	s->proxy = proxy_new(&d, &s->opts);
}

struct sim *sim_begin(uint32_t pool_size, void (*change)(struct sim *))
{
	struct sim *s = sim_new();

	s->target.pool_size = pool_size;
	if (change)
		change(s);
	sim_start(s);
	return s;
}

struct fakepg_conn *sim_server(struct sim *s)
{
	struct fakepg_conn *c = fakepg_conn(&s->pg, 0);

	assert_non_null(c);
	return c;
}

void sim_answer(struct sim *s, const char *types)
{
	sim_server(s)->hang = false;
	fakepg_answer(sim_server(s), types);
}

static void stopped(void *arg)
{
	((struct sim *)arg)->stopped = true;
}

void sim_stop(struct sim *s, uint64_t grace_us)
{
	if (!s->stopped)
		proxy_stop(s->proxy, grace_us, stopped, s);
}

static void client_free(struct sim_client *c)
{
	peer_close(&c->p);
	params_free(&c->params);
	buf_free(&c->kept);
	free(c);
}

void sim_end(struct sim *s)
{
	for (unsigned i = 0; i < s->n; i++)
		client_free(s->clients[i]);
	s->n = 0;
	sim_settle(s);
	if (!s->stopped) {
		sim_stop(s, 0);
		sim_pass(s, 100 * MS);
	}
	if (!s->stopped) /* a client that takes nothing has five seconds for its last words */
		sim_pass(s, 6 * SEC);
	assert_true(s->stopped);
	assert_int_equal(sim_stats(s)->iobufs, 0);
	assert_int_equal(s->secret.pending, 0);
	sim_stats(NULL);
	proxy_free(s->proxy);
	s->proxy = NULL;
	fakepg_forget(&s->pg);
}

void sim_free(struct sim *s)
{
	sim_end(s);
	fakepg_free(&s->pg);
	target_unref(s->targets[0]);
	mailbox_close(s->mail);
	mailbox_unref(s->mail);
	offload_free(s->offload);
	loop_free(s->loop); /* asserts that no timer is left */
	resolver_free(s->resolver);
	log_free(s->log);
	buf_free(&s->log_text);
	free(s);
}

/* ---- turning ---- */



static bool pump_all(struct sim *s)
{
	bool moved = fakepg_pump(&s->pg);

	for (unsigned i = 0; i < s->n; i++)
		moved |= sim_client_pump(s->clients[i]);
	return moved;
}

void sim_settle(struct sim *s)
{
	unsigned turns = 0;

	/* what is put off and put off again moves nothing that can be seen from here, for some turns */
	for (unsigned quiet = 0; quiet < s->patience; quiet++) {
		loop_turn(s->loop, 0);
		if (pump_all(s))
			quiet = 0;
		if (++turns > 100000)
			fail_msg("it never comes to rest");
	}
}

void sim_pass(struct sim *s, uint64_t us)
{
	uint64_t end = s->clock.now_us + us, step = us / s->steps + 2 * LOOP_TICK_US;

	while (s->clock.now_us < end) {
		uint64_t left = end - s->clock.now_us;
		s->clock.now_us += left < step ? left : step;
		sim_settle(s);
	}
}

/* ---- seeing ---- */

const struct stats_snapshot *sim_stats(struct sim *s)
{
	static struct stats_snapshot *last;

	stats_snapshot_free(last);
	last = NULL;
	if (s) {
		last = stats_snapshot_new();
		proxy_collect(s->proxy, last);
	}
	return last;
}

const struct stats *sim_db(struct sim *s)
{
	return &sim_stats(s)->db[0];
}

void sim_assert_servers(struct sim *s, unsigned idle, unsigned active)
{
	const struct stats *st;

	sim_settle(s);
	st = sim_db(s);
	if (st->sv_idle != idle || st->sv_active != active || st->sv_used + st->sv_login != 0)
		fail_msg("servers: %u idle, %u active, %u used, %u logging in; not %u idle and %u active",
		         (unsigned)st->sv_idle, (unsigned)st->sv_active, (unsigned)st->sv_used, (unsigned)st->sv_login, idle,
		         active);
	assert_int_equal(fakepg_open(&s->pg), idle + active);
}
