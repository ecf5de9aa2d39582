/* The secret source, the desk between its loop and the cache's, and the words for a refused login. Worker and
 * control loop turn in one thread here. */
#include "two.h"
#include "aws/aws.h"
#include "aws/desk.h"
#include "aws/source_token.h"

#define HOST "mydb.c9akciq32rgw.us-east-1.rds.amazonaws.com"
#define HOUR (3600 * SEC)

static const struct secret_request request = {HOST, 5432, "app_user"};
static const char *const no_env[] = {NULL};

struct fixture {
	struct two two;
	struct fake_provider provider;
	struct skew skew;
	struct cache *cache;
	struct desk *desk;
	struct secret_source *source;
};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	struct source_token_opts o;

	f->two.clock = fake_clock_make();
	two_start(&f->two, NULL);
	fake_provider_init(&f->provider);
	skew_init(&f->skew);
	f->cache = cache_new(f->two.control, &f->provider.base, &f->skew);
	f->desk = desk_new(f->cache, f->two.control_mail);
	o = (struct source_token_opts){.source = {.desk = f->desk,
						  .skew = &f->skew,
						  .worker = f->two.worker,
						  .worker_mail = f->two.worker_mail},
				       .env = no_env};
	f->source = source_token_new(&o);
	*state = f;
	return 0;
}

static void settle(struct fixture *f)
{
	two_settle(&f->two);
}

static void pass(struct fixture *f, int64_t us)
{
	two_pass(&f->two, us);
}

static void close_desk(struct fixture *f)
{
	if (f->desk)
		desk_close(f->desk);
	cache_free(f->cache);
	f->desk = NULL;
	f->cache = NULL;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->source)
		f->source->ops->free(f->source);
	close_desk(f);
	two_end(&f->two);
	free(f);
	return 0;
}

struct answer {
	unsigned times;
	char *token; /* owned; NULL after an error */
	uint64_t no;
	struct err e;
};

static void take(void *arg, const struct secret_answer *a, const struct err *e)
{
	struct answer *out = arg;

	assert_int_equal(a == NULL, e != NULL);
	out->times++;
	free(out->token);
	out->token = a ? slice_dup(a->secret) : NULL;
	if (a) {
		assert_null(a->user);
		out->no = a->no;
	}
	if (e)
		out->e = *e;
}

static struct secret_op *start(struct fixture *f, struct answer *a)
{
	return f->source->ops->start(f->source, &request, take, a);
}

/* Asks, lets the worker's loop alone turn: is the answer there, signed with this key? */
static bool answered_by(struct fixture *f, const char *key)
{
	struct answer a = {0};
	struct secret_op *op = start(f, &a);
	bool yes;

	assert_int_equal(a.times, 0);
	fake_settle(f->two.worker);
	if (a.times == 0) {
		f->source->ops->cancel(op);
		return false;
	}
	assert_int_equal(a.times, 1);
	yes = a.token && strstr(a.token, key);
	free(a.token);
	return yes;
}

/* The first login waits for the credentials; others sign with them and ask nobody. The token is the published
 * one. */
static void first_token(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0}, b = {0};
	const char *expected = HOST ":5432/?Action=connect&DBUser=app_user&X-Amz-Algorithm=AWS4-HMAC-SHA256&"
				    "X-Amz-Credential=ONE%2F20260115%2Fus-east-1%2Frds-db%2Faws4_request&"
				    "X-Amz-Date=20260115T123456Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&"
				    "X-Amz-Security-Token=session&X-Amz-Signature=";

	assert_int_equal(f->source->ops->kind, SECRET_IAM_TOKEN);
	start(f, &a);
	start(f, &b);
	settle(f);
	assert_int_equal(a.times, 0);
	fake_give(&f->provider, "ONE", T0 + HOUR, true);
	settle(f);
	assert_int_equal(a.times, 1);
	assert_int_equal(b.times, 1);
	assert_non_null(a.token);
	assert_memory_equal(a.token, expected, strlen(expected));
	assert_int_equal(strlen(a.token), strlen(expected) + 64);
	free(a.token);
	free(b.token);
	assert_true(answered_by(f, "ONE%2F"));
	assert_int_equal(f->provider.starts, 1);
}

static bool first(struct fixture *f)
{
	return f->source->ops->first(f->source, &request);
}

/* While there is nothing to answer with, or what there is was turned down, nobody needs to be dialled for it. */
static void comes_first(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	assert_true(first(f));
	start(f, &a);
	settle(f);
	assert_true(first(f));
	fake_give(&f->provider, "ONE", T0 + HOUR, true);
	pass(f, 11 * SEC);
	assert_int_equal(a.times, 1);
	assert_false(first(f));
	assert_true(f->source->ops->refused(f->source, a.no));
	assert_true(first(f));
	settle(f);
	fake_give(&f->provider, "TWO", T0 + HOUR, true);
	settle(f);
	assert_false(first(f));
	/* they end while their source is away */
	f->two.clock.wall_us += 2 * HOUR;
	assert_true(first(f));
	start(f, &a);
	settle(f);
	assert_true(first(f));
	fake_give(&f->provider, "THREE", f->two.clock.wall_us + HOUR, true);
	settle(f);
	assert_int_equal(a.times, 2);
	assert_false(first(f));
	free(a.token);
}

/* Credentials alone are not enough to answer with. */
static void comes_first_without_an_answer(void **state)
{
	struct fixture *f = *state;
	const struct secret_request nowhere = {"db.example", 5432, "app_user"};
	struct answer a = {0};

	fake_give(&f->provider, "ONE", T0 + HOUR, true);
	start(f, &a);
	settle(f);
	assert_false(first(f));
	f->source->ops->start(f->source, &nowhere, take, &a);
	settle(f);
	assert_int_equal(a.e.code, ERR_REGION);
	assert_true(first(f));
	start(f, &a);
	settle(f);
	assert_false(first(f));
	free(a.token);
}

static void no_credentials(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	start(f, &a);
	settle(f);
	fake_fail(&f->provider, PROVIDER_NOT_CONFIGURED, "no AWS credentials found");
	settle(f);
	assert_int_equal(a.times, 1);
	assert_null(a.token);
	assert_int_equal(a.e.code, ERR_CREDENTIALS);
	assert_string_equal(a.e.msg, "no AWS credentials found");
	/* later they come */
	start(f, &a);
	pass(f, 2 * SEC);
	fake_give(&f->provider, "ONE", T0 + HOUR, true);
	settle(f);
	if (a.times == 1) { /* failed fast, before the retry */
		start(f, &a);
		settle(f);
	}
	start(f, &a);
	settle(f);
	assert_non_null(a.token);
	free(a.token);
}

/* Renewed ones are taken up before the old end; while they live, nobody waits. */
static void renewed(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	fake_give(&f->provider, "ONE", T0 + HOUR, true);
	start(f, &a);
	settle(f);
	assert_int_equal(a.times, 1);
	pass(f, 46 * 60 * SEC);
	fake_give(&f->provider, "TWO", T0 + 2 * HOUR, true);
	settle(f);
	assert_true(answered_by(f, "ONE%2F")); /* asks meanwhile */
	settle(f);
	assert_true(answered_by(f, "TWO%2F"));
	/* everything ended while nobody looked */
	f->two.clock.wall_us += 24 * HOUR;
	assert_false(answered_by(f, "TWO%2F"));
	pass(f, 2 * SEC);
	start(f, &a);
	settle(f);
	fake_give(&f->provider, "THREE", f->two.clock.wall_us + HOUR, true);
	settle(f);
	assert_non_null(strstr(a.token, "THREE%2F"));
	free(a.token);
}

/* Little life left and nothing newer to be had: logins go on, without a question each. */
static void nearly_expired(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	fake_give(&f->provider, "ONE", T0 + 50 * SEC, false);
	start(f, &a);
	settle(f);
	assert_int_equal(a.times, 1);
	free(a.token);
	for (int i = 0; i < 5; i++)
		assert_true(answered_by(f, "ONE%2F"));
	pass(f, 51 * SEC);
	a = (struct answer){0};
	start(f, &a);
	settle(f);
	if (f->provider.cb)
		fake_give(&f->provider, "ONE", T0 + 50 * SEC, false);
	settle(f);
	assert_int_equal(a.times, 1);
	assert_null(a.token);
	assert_non_null(strstr(a.e.msg, "expired"));
}

static void refused(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};
	const struct secret_source_ops *ops = f->source->ops;

	fake_give(&f->provider, "ONE", T0 + HOUR, true);
	start(f, &a);
	pass(f, 11 * SEC);
	assert_int_equal(a.times, 1);

	assert_true(ops->refused(f->source, a.no));
	assert_true(ops->refused(f->source, a.no));   /* under way */
	assert_false(answered_by(f, "ONE%2F")); /* the next answer waits for it */
	start(f, &a);
	settle(f);
	assert_int_equal(f->provider.starts, 2);
	fake_give(&f->provider, "TWO", T0 + HOUR, true);
	settle(f);
	assert_int_equal(a.times, 2);
	assert_non_null(strstr(a.token, "TWO%2F"));

	/* refused again at once: bounded; and again, later, when the provider has only the same */
	assert_false(ops->refused(f->source, a.no));
	pass(f, 11 * SEC);
	assert_true(ops->refused(f->source, a.no));
	settle(f);
	assert_int_equal(f->provider.starts, 3);
	fake_fail(&f->provider, PROVIDER_FAILED, "no");
	settle(f);
	assert_true(answered_by(f, "TWO%2F"));
	assert_false(ops->refused(f->source, a.no));

	/* others came by themselves since the token was given */
	pass(f, 2 * SEC);
	fake_give(&f->provider, "THREE", T0 + HOUR, true);
	pass(f, 11 * SEC);
	assert_true(ops->refused(f->source, a.no));
	settle(f);
	assert_true(answered_by(f, "THREE%2F"));
	/* what was refused is kept for the logins that have it, until there is another in use: it is a secret */
	assert_null(source_of(f->source)->before);
	assert_null(source_of(f->source)->refused);
	free(a.token);
}

/* A refusal while a question is away that knew nothing of it: it is asked anew, and who waits is served all
 * the same. */
static void refused_while_asking(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	fake_give(&f->provider, "ONE", T0 + 20 * 60 * SEC, true);
	start(f, &a);
	settle(f);
	f->two.clock.mono_us += 11 * SEC;
	f->two.clock.wall_us += 6 * 60 * SEC; /* less than a quarter of an hour left */
	assert_true(answered_by(f, "ONE%2F"));
	assert_true(f->source->ops->refused(f->source, a.no));
	assert_false(answered_by(f, "ONE%2F"));
	start(f, &a);
	settle(f);
	fake_give(&f->provider, "TWO", T0 + HOUR, true);
	settle(f);
	assert_int_equal(a.times, 2);
	assert_non_null(strstr(a.token, "TWO%2F"));
	free(a.token);
}

/* Others came since the token was given: worth a try at once. */
static void refused_after_renewal(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	fake_give(&f->provider, "ONE", T0 + 20 * 60 * SEC, true);
	start(f, &a);
	settle(f);
	pass(f, 11 * 60 * SEC);
	fake_give(&f->provider, "TWO", T0 + HOUR, true);
	settle(f);
	start(f, &a);
	settle(f); /* answered with the old ones, and hears of the new */
	assert_non_null(strstr(a.token, "ONE%2F"));
	assert_true(f->source->ops->refused(f->source, a.no));
	start(f, &a);
	fake_settle(f->two.worker);
	assert_int_equal(a.times, 3);
	assert_non_null(strstr(a.token, "TWO%2F"));
	free(a.token);
}

/* Where nobody can renew them, one more try would be refused as well. */
static void refused_for_good(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	fake_give(&f->provider, "ONE", 0, false);
	start(f, &a);
	pass(f, 60 * SEC);
	assert_non_null(a.token);
	assert_false(f->source->ops->refused(f->source, a.no));
	assert_int_equal(f->provider.starts, 1);
	free(a.token);
}

static void cancelled(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};
	struct secret_op *op = start(f, &a);

	settle(f);
	f->source->ops->cancel(op);
	fake_give(&f->provider, "ONE", 0, true);
	settle(f);
	op = start(f, &a);
	f->source->ops->cancel(op);
	settle(f);
	assert_int_equal(a.times, 0);
	/* freed while its question is away */
	f->source->ops->refused(f->source, a.no);
	f->source->ops->free(f->source);
	f->source = NULL;
	settle(f);
}

static void freed_while_asking(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	f->source->ops->cancel(start(f, &a));
	f->source->ops->free(f->source);
	f->source = NULL;
	settle(f);
	assert_int_equal(a.times, 0);
}

/* Whatever the order things close in: an answer, or nothing, but no leak and no use of freed memory. */
static void desk_closes(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	start(f, &a);
	settle(f); /* open at the desk */
	close_desk(f);
	settle(f);
	assert_int_equal(a.times, 1);
	assert_int_equal(a.e.code, ERR_SHUTDOWN);
	start(f, &a); /* comes after closing */
	settle(f);
	assert_int_equal(a.times, 2);
	assert_int_equal(a.e.code, ERR_SHUTDOWN);
	start(f, &a); /* on its way when the mailbox closes */
	mailbox_close(f->two.control_mail);
	settle(f);
	assert_int_equal(a.times, 3);
	start(f, &a); /* cannot even be sent */
	settle(f);
	assert_int_equal(a.times, 4);
	assert_int_equal(a.e.code, ERR_SHUTDOWN);
}

/* What the desk cannot do does not matter while the credentials here live. */
static void desk_closes_on_the_refused(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	fake_give(&f->provider, "ONE", T0 + HOUR, true);
	start(f, &a);
	pass(f, 11 * SEC);
	assert_true(f->source->ops->refused(f->source, a.no));
	start(f, &a);
	settle(f);
	assert_int_equal(a.times, 1);
	close_desk(f);
	settle(f);
	assert_int_equal(a.times, 2);
	assert_non_null(a.token);
	free(a.token);
}

static void worker_mail_closes(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};
	struct secret_op *op = start(f, &a);

	settle(f);
	mailbox_close(f->two.worker_mail);
	fake_give(&f->provider, "ONE", 0, true);
	settle(f);
	assert_int_equal(a.times, 0);
	f->source->ops->cancel(op);
}

static void no_region(void **state)
{
	struct fixture *f = *state;
	static const struct secret_request other = {"db.example.com", 5432, "u"};
	struct answer a = {0};
	struct err e;

	fake_give(&f->provider, "ONE", 0, true);
	f->source->ops->start(f->source, &other, take, &a);
	settle(f);
	assert_int_equal(a.times, 1);
	assert_int_equal(a.e.code, ERR_REGION);
	err_set(&e, ERR_AUTH_IAM, "PAM authentication failed");
	f->source->ops->explain(f->source, &other, a.no, &e);
	assert_string_equal(e.detail, "");
}

/* ---- explain ---- */

static void explained(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};
	struct err e;

	fake_give(&f->provider, "AKIAIOSFODNN7EXAMPLE", T0 + HOUR, true);
	start(f, &a);
	settle(f);
	err_set(&e, ERR_AUTH_IAM, "PAM authentication failed for user \"app_user\"");
	f->source->ops->explain(f->source, &request, a.no, &e);
	assert_string_equal(
		e.detail, "The token was signed for " HOST ":5432 in us-east-1 as \"app_user\" with fake key "
			  "AKIA****MPLE. The credentials expire in 1 h 00 min; this machine's clock shows "
			  "2026-01-15T12:34:56Z.");
	assert_non_null(strstr(e.hint, "clock"));
	assert_non_null(strstr(e.hint, "arn:aws:rds-db:us-east-1:ACCOUNT:dbuser:RESOURCE-ID/app_user"));
	assert_non_null(strstr(e.hint, "DbiResourceId"));
	assert_null(strstr(e.detail, "secret"));
	assert_null(strstr(e.hint, "session"));
	free(a.token);
}

/* ---- the whole, with the real providers ---- */

static void whole(void **state)
{
	const char *env[] = {"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
			     "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
			     "AWS_REGION=eu-west-1", NULL};
	const struct aws_source_opts o = {.region = "us-east-1"};
	struct fixture *f = *state;
	struct aws *aws =
		aws_new(&(struct aws_opts){.control = f->two.control, .mail = f->two.control_mail, .env = env,
					   .identities = &(struct aws_identity){.profile = NULL}, .identity_count = 1},
			NULL);
	struct secret_source *s = aws_source_new(aws, &o, f->two.worker, f->two.worker_mail);
	struct answer a = {0};
	struct aws_stats stats;

	env[0] = env[1] = NULL; /* copied */
	aws_collect(aws, 0, &stats);
	assert_null(stats.provider);
	assert_false(stats.valid);
	s->ops->start(s, &request, take, &a);
	settle(f);
	assert_int_equal(a.times, 1);
	assert_non_null(strstr(a.token, "5139f8ed77defa93e19e213c0b47ed3c71310487703eb40261132b9b4a8d8b17"));
	assert_false(s->ops->refused(s, a.no));
	aws_collect(aws, 0, &stats);
	assert_string_equal(stats.provider, "env");
	assert_true(stats.valid);
	assert_int_equal(stats.refreshes, 1);
	free(a.token);
	s->ops->free(s);
	aws_free(aws);
	aws_free(NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(first_token),
		T(no_credentials),
		T(comes_first),
		T(comes_first_without_an_answer),
		T(renewed),
		T(nearly_expired),
		T(refused),
		T(refused_for_good),
		T(refused_while_asking),
		T(refused_after_renewal),
		T(cancelled),
		T(freed_while_asking),
		T(desk_closes),
		T(desk_closes_on_the_refused),
		T(worker_mail_closes),
		T(no_region),
		T(explained),
		T(whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
