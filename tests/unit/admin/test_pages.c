/* The pages over a loopback socket, with workers that answer, that hang, and that have ended. Worker 0 is a
 * mailbox on the same loop; worker 1 lives on a loop of its own, turned only when a test wants it to answer.
 */
#include <signal.h>
#include <stdio.h>
#include "unit/http/ask.h"

#include <stdlib.h>
#include "admin/pages.h"
#include "unit/admin/prom.h"

struct fake_worker {
	unsigned index;
	const char *broken; /* database to complain about, */
	uint64_t broken_us; /* since then, */
	enum err_code code; /* for this reason */
	uint64_t good_us;   /* let somebody into every database */
	uint64_t logins;
	bool no_aws; /* no database needs AWS credentials */
	bool two;    /* the databases have an identity each */
	bool secret; /* the second has a secret */
};

struct fixture {
	struct loop *loop, *other;
	struct mailbox *home, *workers[2];
	struct fake_worker fake[2];
	struct admin_credentials credentials[2];
	struct admin_secret secret;
	struct admin_source sources[4]; /* the two identities, nothing, the secret */
	struct collect *collect;
	struct pages *pages;
	struct http_server *server;
	struct admin_info info;
	struct addr addr;
	int fd;
	char text[1 << 18];
};

static size_t source_of(const struct fake_worker *w, size_t database)
{
	if (w->secret && database > 0)
		return 3;
	return w->no_aws || (database > 0 && !w->two) ? 2 : database;
}

static void on_fill(void *receiver, unsigned want, struct collect_answer *out)
{
	struct fake_worker *w = receiver;
	static const char *const databases[] = {"orders", "users"};

	if (want & COLLECT_STATS) {
		out->stats = stats_snapshot_new();
		stats_snapshot_db(out->stats, "orders", 0)->server_logins = w->logins;
		out->stats->clients = 10 + w->index;
	}
	for (size_t i = 0; i < 2 && want & COLLECT_HEALTH; i++) {
		struct health h = {.good_us = w->good_us};
		struct err e;

		err_set(&e, w->code, "certificate of \"db\" expired");
		if (w->broken && strcmp(w->broken, databases[i]) == 0)
			health_failed(&h, w->broken_us, &e, false);
		collect_health_add(&out->health, databases[i], source_of(w, i), &h);
	}
}

static void on_info(void *arg, bool want_process, struct admin_info *out)
{
	struct fixture *f = arg;

	(void)want_process;
	*out = f->info;
}

static int setup(void **state)
{
	const struct http_server_opts o = {
		.max_connections = 8, .max_header_bytes = 4096, .idle_us = 5000000, .lifetime_us = 10000000};
	struct fixture *f = calloc(1, sizeof *f);
	struct err e;
	size_t n;

	signal(SIGPIPE, SIG_IGN);
	f->loop = loop_new(clock_system(), NULL, &e);
	f->other = loop_new(clock_system(), NULL, &e);
	f->home = mailbox_new(f->loop, f, &e);
	f->fake[1].index = 1;
	f->workers[0] = mailbox_new(f->loop, &f->fake[0], &e);
	f->workers[1] = mailbox_new(f->other, &f->fake[1], &e);
	f->fake[0].code = f->fake[1].code = ERR_TLS_VERIFY;
	f->fake[0].broken_us = f->fake[1].broken_us = clock_mono_us(clock_system());
	f->credentials[0].identity = "default";
	f->info = (struct admin_info){.version = "1", .credentials = f->credentials, .credentials_count = 1, .sources = f->sources};
	f->sources[0].credentials = &f->credentials[0];
	f->sources[1].credentials = &f->credentials[1];
	f->sources[3].secret = &f->secret;
	err_set(&f->credentials[0].why, ERR_CREDENTIALS, "no AWS credentials found");
	err_detail(&f->credentials[0].why, "AWS_ACCESS_KEY_ID is not set.");
	f->collect = collect_new(f->loop, f->home, f->workers, 2, on_fill);
	f->pages = pages_new(&(struct pages_deps){.collector = f->collect, .info = on_info, .info_arg = f});
	const struct http_route *routes = pages_routes(&n);

	f->server = http_server_new(f->loop, &o, routes, n, f->pages);
	f->fd = ask_listen(&f->addr);
	assert_int_equal(http_server_listen(f->server, f->fd, &e), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pages_free(f->pages);
	http_server_free(f->server);
	for (int i = 0; i < 2; i++) {
		if (f->workers[i] == NULL)
			continue;
		mailbox_close(f->workers[i]);
		mailbox_unref(f->workers[i]);
	}
	mailbox_close(f->home);
	collect_free(f->collect);
	mailbox_unref(f->home);
	loop_free(f->other);
	loop_free(f->loop);
	close(f->fd);
	free(f);
	return 0;
}

/* Asks, with worker 1 answering (or not). */
static int get(struct fixture *f, const char *path, bool both)
{
	char request[256];
	int fd = ask_connect(&f->addr), status = 0;
	size_t at = 0;
	uint64_t end = clock_mono_us(clock_system()) + 5000000;

	ask_send(fd, request,
		 (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
				  path));
	while (clock_mono_us(clock_system()) < end) {
		char *rest = f->text + at;

		if (both)
			loop_turn(f->other, 0);
		if (ask_read(f->loop, fd, rest, sizeof f->text - at, 3000))
			break;
		at += strlen(rest);
	}
	close(fd);
	if (sscanf(f->text, "HTTP/1.1 %d", &status) != 1)
		status = 0;
	return status;
}

static bool says(const struct fixture *f, const char *what)
{
	return strstr(f->text, what) != NULL;
}

static void metrics(void **state)
{
	struct fixture *f = *state;
	struct prom p;

	f->fake[0].logins = 3;
	f->fake[1].logins = 4;
	assert_int_equal(get(f, "/metrics", true), 200);
	assert_true(says(f, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	prom_read(&p, strstr(f->text, "\r\n\r\n") + 4);
	assert_true(prom_value(&p, "pgiam_server_logins_total{database=\"orders\",result=\"ok\"}") == 7);
	assert_true(prom_value(&p, "pgiam_clients") == 21);
	assert_true(prom_value(&p, "pgiam_worker_unresponsive{worker=\"1\"}") == 0);
	prom_free(&p);
}

/* What there is, after the deadline, and which worker is missing; its late answer harms nobody. */
static void metrics_of_a_stalled_worker(void **state)
{
	struct fixture *f = *state;
	struct prom p;

	assert_int_equal(get(f, "/metrics", false), 200);
	prom_read(&p, strstr(f->text, "\r\n\r\n") + 4);
	assert_true(prom_value(&p, "pgiam_clients") == 10);
	assert_true(prom_value(&p, "pgiam_worker_unresponsive{worker=\"0\"}") == 0);
	assert_true(prom_value(&p, "pgiam_worker_unresponsive{worker=\"1\"}") == 1);
	prom_free(&p);
	loop_turn(f->other, 0);
	loop_turn(f->loop, 0);
	assert_int_equal(get(f, "/metrics", true), 200);
	assert_true(says(f, "pgiam_clients 21\n"));
}

static void liveness(void **state)
{
	struct fixture *f = *state;
	uint64_t begin;

	assert_int_equal(get(f, "/liveness", true), 200);
	assert_true(says(f, "{\"status\":\"ok\",\"workers\":2,\"unresponsive\":[]}\n"));
	begin = clock_mono_us(clock_system());
	assert_int_equal(get(f, "/liveness", false), 503);
	assert_in_range(clock_mono_us(clock_system()) - begin, 1900000, 3000000);
	assert_true(says(f, "\"unresponsive\":[1]}\n"));
	/* a worker that was told to end and did is not missed */
	mailbox_close(f->workers[1]);
	assert_int_equal(get(f, "/liveness", false), 200);
}

static void startup(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/startup", true), 503);
	assert_true(says(
		f, "{\"status\":\"starting\",\"reason\":\"no AWS credentials yet\",\"cause\":\"credentials\","
		   "\"sqlstate\":\"28000\",\"error\":\"no AWS credentials found\","
		   "\"detail\":\"AWS_ACCESS_KEY_ID is not set.\",\"hint\":\"Give pgiam AWS credentials"));
	f->credentials[0].valid = true;
	assert_int_equal(get(f, "/startup", true), 200);
	f->credentials[0].valid = false; /* once is enough */
	assert_int_equal(get(f, "/startup", true), 200);
	assert_true(says(f, "{\"status\":\"started\",\"reason\":null}\n"));
}

static void startup_by_login(void **state)
{
	struct fixture *f = *state;

	f->fake[1].logins = 1;
	assert_int_equal(get(f, "/startup", true), 200);
}

static void startup_without_iam(void **state)
{
	struct fixture *f = *state;

	f->info.credentials_count = 0;
	assert_int_equal(get(f, "/startup", true), 200);
}

/* Only for the databases that need them, and before any client has tried. */
static void readiness_without_credentials(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/readiness", true), 503);
	assert_true(says(f, "\"credentials\":[{\"identity\":\"default\",\"ok\":false,\"cause\":\"credentials\",\"sqlstate\":\"28000\","
			    "\"error\":\"no AWS credentials found\",\"detail\":\"AWS_ACCESS_KEY_ID is not "
			    "set.\",\"hint\":"));
	assert_true(says(f, "{\"database\":\"orders\",\"ok\":false,\"cause\":\"credentials\",\"identity\":\"default\"},"
			    "{\"database\":\"users\",\"ok\":true}],\"status\":\"not ready\"}\n"));
	assert_int_equal(get(f, "/readiness?database=users", true), 200);
	/* A login that failed for lack of what is there now says nothing. */
	f->fake[0].broken = "orders";
	f->fake[0].code = ERR_CREDENTIALS;
	assert_int_equal(get(f, "/readiness", true), 503);
	f->credentials[0].valid = true;
	assert_int_equal(get(f, "/readiness", true), 200);
	assert_true(says(f, "\"credentials\":[{\"identity\":\"default\",\"ok\":true}],"));
	f->info.credentials_count = 0;
	f->fake[0].no_aws = f->fake[1].no_aws = true;
	f->fake[0].broken = NULL;
	assert_int_equal(get(f, "/readiness", true), 200);
	assert_true(says(f, "\"credentials\":[],"));
}

/* A secret that was never readable is told before a client has tried; one that has ended and nobody asked for is no reason. */
static void readiness_without_a_secret(void **state)
{
	struct fixture *f = *state;

	f->credentials[0].valid = true;
	f->secret = (struct admin_secret){.identity = "default", .name = "secret prod/db in us-east-1", .lacking = true};
	err_set(&f->secret.why, ERR_CREDENTIALS_AWAY, "the secret prod/db: HTTP status 503");
	f->info.secrets = &f->secret;
	f->info.secret_count = 1;
	f->fake[0].secret = f->fake[1].secret = true;
	assert_int_equal(get(f, "/readiness", true), 503);
	assert_true(says(f, "\"secrets\":[{\"identity\":\"default\",\"secret\":\"secret prod/db in us-east-1\",\"ok\":false,"
			    "\"cause\":\"credentials_away\",\"sqlstate\":\"57P03\",\"error\":\"the secret prod/db: HTTP status 503\","));
	assert_true(says(f, "{\"database\":\"orders\",\"ok\":true},{\"database\":\"users\",\"ok\":false,"
			    "\"cause\":\"credentials_away\",\"identity\":\"default\",\"secret\":\"secret prod/db in us-east-1\"}]"));
	assert_int_equal(get(f, "/readiness?database=orders", true), 200);
	assert_int_equal(get(f, "/startup", true), 200);
	/* A login that failed for lack of what is there now says nothing. */
	f->fake[0].broken = "users";
	f->fake[0].code = ERR_CREDENTIALS_AWAY;
	f->secret.lacking = false;
	assert_int_equal(get(f, "/readiness", true), 200);
	assert_true(says(f, "\"secret\":\"secret prod/db in us-east-1\",\"ok\":true}],"));
	f->fake[0].code = ERR_CONNECT;
	assert_int_equal(get(f, "/readiness", true), 503);
}

/* Each database by its own; one that has some is enough to start. */
static void two_identities(void **state)
{
	struct fixture *f = *state;

	f->fake[0].two = f->fake[1].two = true;
	f->credentials[1].identity = "profile b";
	f->info.credentials_count = 2;
	assert_int_equal(get(f, "/startup", true), 503);
	f->credentials[1].valid = true;
	assert_int_equal(get(f, "/startup", true), 200);
	assert_int_equal(get(f, "/readiness", true), 503);
	assert_true(says(f, "},{\"identity\":\"profile b\",\"ok\":true}],"));
	assert_true(says(f, "{\"database\":\"users\",\"ok\":true}]"));
	assert_int_equal(get(f, "/readiness?database=orders", true), 503);
	assert_int_equal(get(f, "/readiness?database=users", true), 200);
	f->credentials[0].valid = true;
	f->credentials[1].valid = false;
	err_set(&f->credentials[1].why, ERR_CREDENTIALS, "profile: no profile b");
	assert_int_equal(get(f, "/readiness?database=orders", true), 200);
	assert_int_equal(get(f, "/readiness?database=users", true), 503);
	assert_true(says(f, "{\"database\":\"users\",\"ok\":false,\"cause\":\"credentials\",\"identity\":\"profile b\"}"));
	assert_true(says(f, "\"error\":\"profile: no profile b\""));
}

static void readiness(void **state)
{
	struct fixture *f = *state;

	f->credentials[0].valid = true;
	assert_int_equal(get(f, "/readiness", true), 200);
	assert_true(says(
		f,
		"\"databases\":[{\"database\":\"orders\",\"ok\":true},{\"database\":\"users\",\"ok\":true}],"
		"\"status\":\"ready\"}\n"));
	f->fake[1].broken = "users";                   /* one worker's trouble is trouble, */
	f->fake[0].good_us = f->fake[1].broken_us + 1; /* unless another has been let in since */
	assert_int_equal(get(f, "/readiness", true), 200);
	f->fake[0].good_us = f->fake[1].broken_us - 1;
	assert_int_equal(get(f, "/readiness", true), 503);
	assert_true(says(
		f,
		"{\"database\":\"users\",\"ok\":false,\"cause\":\"tls_verify\",\"sqlstate\":\"08001\","
		"\"error\":\"certificate of \\\"db\\\" expired\",\"detail\":null,\"hint\":\"Check server_tls_ca_file"));
	assert_int_equal(get(f, "/readiness?database=orders", true), 200);
	assert_false(says(f, "users"));
	assert_int_equal(get(f, "/readiness?database=users", true), 503);
	assert_int_equal(get(f, "/readiness?database=nobody", true), 503);
	assert_true(says(f, "\"databases\":[],"));
	f->fake[1].broken = NULL;
	f->info.draining = true;
	assert_int_equal(get(f, "/readiness", true), 503);
	assert_true(says(f, "{\"draining\":true,"));
	assert_true(says(f, "\"status\":\"draining\"}\n"));
	assert_int_equal(get(f, "/liveness", true), 200);
}

static void readiness_of_a_stalled_worker(void **state)
{
	struct fixture *f = *state;

	f->credentials[0].valid = true;
	assert_int_equal(get(f, "/readiness", false), 503);
	assert_true(says(f, "\"workers_unresponsive\":1,"));
}

static void an_index(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/", false), 200);
	assert_true(says(f, "\n/metrics\n"));
}

/* teardown comes while a page waits for a worker */
static void freed_meanwhile(void **state)
{
	struct fixture *f = *state;
	int fd = ask_connect(&f->addr);
	const char rq[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

	ask_send(fd, rq, sizeof rq - 1);
	assert_false(ask_read(f->loop, fd, f->text, sizeof f->text, 50000));
	close(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(metrics),          T(metrics_of_a_stalled_worker),
		T(liveness),         T(startup),
		T(startup_by_login), T(startup_without_iam),
		T(readiness),        T(readiness_without_credentials),
		T(readiness_without_a_secret),
		T(two_identities),
		T(an_index),         T(readiness_of_a_stalled_worker),
		T(freed_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
