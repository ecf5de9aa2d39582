/* Secrets of Secrets Manager: what one says, the store that keeps it, and the source that asks the store. Worker and
 * control loop turn in one thread here. */
#include "kept_kit.h"
#include "aws/secret_walk.h"
#include "aws/secrets_manager.h"

#define ARN "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:prod/db-AbCdEf"

/* ---- what a secret says ---- */

static struct secret_value *parse(const char *reply)
{
	struct err e = {.code = ERR_NONE};
	struct secret_value *v = secret_value_parse(slice_str(reply), "AWSCURRENT", NULL, &e);

	assert_int_equal(e.code, v ? ERR_NONE : ERR_CREDENTIALS);
	assert_null(strstr(e.msg, "sesame"));
	return v;
}

static void says(const char *reply, const char *user, const char *password, unsigned port)
{
	struct secret_value *v = parse(reply);

	assert_non_null(v);
	assert_string_equal(v->version, "v-1");
	assert_string_equal(v->how, "AWSCURRENT");
	assert_true(slice_eq_str(secret_slice(&v->password), password));
	assert_true(user ? v->user && strcmp(v->user, user) == 0 : !v->user);
	assert_int_equal(v->port, port);
	secret_value_unref(v);
}

#define SECRET(inner) "{\"VersionId\":\"v-1\",\"SecretString\":\"{" inner "}\"}"

static void values(void **state)
{
	struct secret_value *v;

	(void)state;
	says(SECRET("\\\"username\\\":\\\"joe\\\",\\\"password\\\":\\\"sesame\\\",\\\"port\\\":6432"), "joe", "sesame", 6432);
	says(SECRET("\\\"username\\\":\\\"joe\\\",\\\"password\\\":\\\"sesame\\\",\\\"port\\\":\\\"6432\\\""), "joe", "sesame",
	     6432);
	says(SECRET("\\\"password\\\":\\\"s\\\\\\\"\\u00e9\\\",\\\"port\\\":\\\"x\\\""), NULL, "s\"\xc3\xa9", 0);
	says(SECRET("\\\"password\\\":\\\"s\\\",\\\"port\\\":70000"), NULL, "s", 0);
	says(SECRET("\\\"password\\\":\\\"s\\\",\\\"port\\\":\\\"4294972728\\\""), NULL, "s", 0);
	says(SECRET("\\\"password\\\":\\\"s\\\",\\\"port\\\":-1"), NULL, "s", 0);
	/* {"username":"joe","password":"sesame"} */
	says("{\"VersionId\":\"v-1\",\"SecretBinary\":\"eyJ1c2VybmFtZSI6ImpvZSIsInBhc3N3b3JkIjoic2VzYW1lIn0=\"}", "joe",
	     "sesame", 0);
	v = parse(SECRET("\\\"password\\\":\\\"s\\\",\\\"host\\\":\\\"db.example\\\",\\\"dbname\\\":\\\"app\\\""));
	assert_string_equal(v->host, "db.example");
	assert_string_equal(v->dbname, "app");
	secret_value_unref(v);
}

static void no_values(void **state)
{
	static const char *const replies[] = {
		"",
		"[]",
		"{}",
		"{\"VersionId\":\"v-1\"}",
		"{\"VersionId\":\"v 1\",\"SecretString\":\"{\\\"password\\\":\\\"sesame\\\"}\"}",
		"{\"SecretString\":\"{\\\"password\\\":\\\"sesame\\\"}\"}",
		"{\"VersionId\":\"v-1\",\"SecretString\":\"sesame\"}",
		"{\"VersionId\":\"v-1\",\"SecretBinary\":\"sesame!\"}",
		SECRET("\\\"Password\\\":\\\"sesame\\\""),
		SECRET("\\\"password\\\":\\\"\\\""),
		SECRET("\\\"password\\\":5"),
		SECRET("\\\"password\\\":\\\"sesame\\\\u0000\\\""),
		SECRET("\\\"password\\\":\\\"sesame\\\",\\\"username\\\":\\\"a\\\\nb\\\""),
	};
	static const char whole[] = SECRET("\\\"username\\\":\\\"joe\\\",\\\"password\\\":\\\"sesame\\\"");

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
		assert_null(parse(replies[i]));
	for (size_t n = 0; n + 1 < sizeof(whole); n++) {
		char *cut = mem_strndup(whole, n);

		if (n < sizeof(whole) - 1)
			assert_null(parse(cut));
		free(cut);
	}
}

static void names(void **state)
{
	static const char *const bad[] = {"", "a b", "a\"b", "a\\b", "a:b", "arn:aws:s3:::x",
					  "arn:aws:secretsmanager:us-east-1:1:secret",
					  "arn:aws:secretsmanager:us-east-1:1:secret:",
					  "arn:aws:secretsmanager::1:secret:a", "arn:aws:secretsmanager:US_1:1:secret:a",
					  "arn:aws:secretsmanager:us-east-1:1:secret:a:b"};
	char region[64], *name = mem_zalloc(600);
	struct err e;

	(void)state;
	assert_int_equal(secrets_manager_id("rds!db-0f1e/+=.@_", region, &e), 0);
	assert_string_equal(region, "");
	assert_int_equal(secrets_manager_id(ARN, region, &e), 0);
	assert_string_equal(region, "cn-north-1");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(secrets_manager_id(bad[i], region, &e), -1);
	memset(name, 'a', 512);
	assert_int_equal(secrets_manager_id(name, region, &e), 0);
	name[512] = 'a';
	assert_int_equal(secrets_manager_id(name, region, &e), -1);
	free(name);
}

/* ---- keeping it ---- */

static struct secret_reader *reader(const struct provider_deps *d)
{
	return secret_walk_new(d, &(struct secret_walk_opts){.id = "prod/db", .region = "us-east-1"});
}

static int setup(void **state)
{
	*state = kept_new("the secret prod/db", reader);
	return 0;
}

static void settle(struct kept *f)
{
	two_settle(&f->two);
}

static void pass(struct kept *f, int64_t us)
{
	two_pass(&f->two, us);
}

/* Secrets Manager is asked for this stage, and answers with this version. */
static void holds(struct kept *f, const char *stage, int version)
{
	char reply[256];

	assert_int_equal(fake_http_pending(&f->http), 1);
	assert_non_null(strstr(f->http.last->body, stage));
	snprintf(reply, sizeof(reply), SECRET("\\\"username\\\":\\\"u%d\\\",\\\"password\\\":\\\"p%d\\\""), version, version);
	reply[sizeof("{\"VersionId\":\"v-1") - 2] = (char)('0' + version);
	fake_http_reply(&f->http, 200, reply);
	settle(f);
}

static void holds_none(struct kept *f, const char *stage)
{
	assert_non_null(strstr(f->http.last->body, stage));
	fake_http_reply(&f->http, 400, "{\"__type\":\"ResourceNotFoundException\",\"Message\":\"no such stage\"}");
	settle(f);
}

/* From nothing to version 1. */
static void begin(struct kept *f)
{
	settle(f);
	fake_give(&f->provider, "ASIAONE", 0, true);
	settle(f);
	holds(f, "AWSCURRENT", 1);
}

static void read_once(void **state)
{
	struct kept *f = *state;

	kept_start(f);
	kept_start(f);
	settle(f);
	assert_int_equal(f->http.starts, 0); /* there are no credentials yet */
	begin(f);
	assert_int_equal(f->times, 2);
	assert_string_equal(f->password, "p1");
	assert_string_equal(f->user, "u1");
	assert_string_equal(f->http.last->url, "https://secretsmanager.us-east-1.amazonaws.com/");
	assert_string_equal(f->http.last->body, "{\"SecretId\": \"prod/db\", \"VersionStage\": \"AWSCURRENT\"}");
	assert_non_null(strstr(f->http.last->headers, "x-amz-target: secretsmanager.GetSecretValue\n"));
	assert_non_null(strstr(f->http.last->headers, "us-east-1/secretsmanager/aws4_request"));
	assert_false(f->http.last->allow_http);
	kept_gives(f, "p1");
	pass(f, 86400 * SEC);
	kept_gives(f, "p1");
	assert_int_equal(f->http.starts, 1);
}

static void a_new_version(void **state)
{
	struct kept *f = *state;

	begin(f);
	kept_gives(f, "p1");
	assert_true(kept_refused(f));
	assert_true(kept_refused(f)); /* it is being read */
	kept_start(f);
	settle(f);
	assert_int_equal(f->times, 1);
	holds(f, "AWSCURRENT", 2);
	assert_int_equal(f->times, 2);
	assert_string_equal(f->password, "p2");
	assert_string_equal(f->user, "u2");
	assert_int_equal(f->http.starts, 2);
}

static void explain(struct kept *f, uint64_t no, struct err *e)
{
	err_set(e, ERR_AUTH_PASSWORD, "refused");
	f->source->ops->explain(f->source, &(struct secret_request){"db.example", 5432, "u1"}, no, e);
}

/* Two databases log in with it at once, and are refused one after another. The second refusal is no news of the password that
 * came meanwhile: not even long after. */
static void two_logins_at_once(void **state)
{
	struct kept *f = *state;
	struct err e = {.code = ERR_NONE};
	uint64_t old;

	begin(f);
	kept_gives(f, "p1");
	old = f->no;
	kept_gives(f, "p1");
	assert_int_equal(f->no, old);
	assert_true(kept_refused_no(f, old));
	holds(f, "AWSCURRENT", 2);
	explain(f, old, &e);
	assert_non_null(strstr(e.detail, "(AWSCURRENT, version v-1)."));
	kept_gives(f, "p2");
	assert_int_not_equal(f->no, old);
	assert_true(kept_refused_no(f, old));
	assert_int_equal(f->http.starts, 2);
	explain(f, old, &e); /* it is not kept */
	assert_string_equal(e.detail, "");
	explain(f, f->no, &e);
	assert_non_null(strstr(e.detail, "(AWSCURRENT, version v-2)."));
	pass(f, 11 * SEC);
	assert_true(kept_refused_no(f, old));
	kept_gives(f, "p2");
	assert_int_equal(f->http.starts, 2);
}

static void all_stages(void **state)
{
	struct kept *f = *state;

	begin(f);
	kept_gives(f, "p1");
	assert_true(kept_refused(f));
	holds(f, "AWSCURRENT", 1);
	holds(f, "AWSPENDING", 2);
	kept_gives(f, "p2");
	/* a moment later that one is refused as well: nothing is read again so soon */
	assert_false(kept_refused(f));
	kept_gives(f, "p2");
	pass(f, 11 * SEC);
	assert_true(kept_refused(f));
	holds(f, "AWSCURRENT", 1);
	holds(f, "AWSPENDING", 2);
	holds(f, "AWSPREVIOUS", 3);
	kept_gives(f, "p3");
	pass(f, 11 * SEC);
	assert_true(kept_refused(f));
	holds(f, "AWSCURRENT", 1);
	holds_none(f, "AWSPENDING");
	holds(f, "AWSPREVIOUS", 3);
	kept_gives(f, "p1"); /* nothing is left: from the beginning */
}

/* Who was refused with what is no longer given gets what is, without a reading. */
static void another_worker(void **state)
{
	struct kept *f = *state;
	const struct source_secret_opts o = {
		.source = {.desk = f->desk, .worker = f->two.worker, .worker_mail = f->two.worker_mail},
		.from = "the secret prod/db",
		.hint = "Look.",
	};
	struct secret_source *first = f->source, *second = source_secret_new(&o), *third = source_secret_new(&o);

	begin(f);
	kept_gives(f, "p1");
	f->source = second;
	kept_gives(f, "p1");
	assert_true(kept_refused(f));
	holds(f, "AWSCURRENT", 2);
	f->source = first;
	assert_true(kept_refused(f));
	kept_gives(f, "p2");
	assert_int_equal(f->http.starts, 2);
	/* nor does one with what is given: so soon it would be the same */
	f->source = third;
	kept_gives(f, "p2");
	assert_true(kept_refused(f));
	kept_gives(f, "p2");
	assert_int_equal(f->http.starts, 2);
	f->source = first;
	second->ops->free(second);
	third->ops->free(third);
}

/* However long it was away: who wants it has it asked again as soon as it may be, and knows that it passes. */
static void away(void **state)
{
	struct kept *f = *state;

	settle(f);
	kept_start(f);
	settle(f);
	fake_give(&f->provider, "ASIAONE", 0, true);
	settle(f);
	for (unsigned i = 1; i <= 10; i++) {
		struct http_reply busy = {.status = 429, .why = "", .verified = true};

		busy.header[HTTP_REPLY_RETRY_AFTER] = slice_str("7"); /* for longer than a call waits */
		fake_http_answer(f->http.last, &busy);
		settle(f);
		assert_int_equal(f->e.code, ERR_CREDENTIALS_AWAY);
		assert_int_equal(f->times, 2 * i - 1);
		pass(f, 6 * SEC);
		kept_start(f);
		settle(f);
		assert_int_equal(f->times, 2 * i); /* as it wants to be left alone */
		pass(f, 2 * SEC);
		kept_start(f);
		settle(f);
		assert_int_equal(f->http.starts, i + 1);
	}
	holds(f, "AWSCURRENT", 1);
	assert_string_equal(f->password, "p1");
}

static void failures(void **state)
{
	struct kept *f = *state;

	settle(f);
	kept_start(f);
	settle(f);
	fake_give(&f->provider, "ASIAONE", 0, true);
	settle(f);
	fake_http_reply(&f->http, 400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"not you\"}");
	settle(f);
	assert_int_equal(f->times, 1);
	assert_int_equal(f->e.code, ERR_CREDENTIALS);
	assert_non_null(strstr(f->e.msg, "prod/db"));
	assert_non_null(strstr(f->e.msg, "AccessDeniedException"));
	assert_non_null(strstr(f->e.detail, "not you"));
	assert_non_null(strstr(f->e.hint, "secretsmanager:GetSecretValue"));
	/* not again at once */
	kept_start(f);
	settle(f);
	assert_int_equal(f->times, 2);
	assert_int_equal(f->http.starts, 1);
	/* then, by itself, with other credentials: these were refused, but are not thrown away for each refusal */
	pass(f, 2 * SEC);
	assert_int_equal(f->http.starts, 2);
	fake_http_reply(&f->http, 400, "{\"__type\":\"AccessDeniedException\"}");
	pass(f, 11 * SEC);
	kept_start(f);
	settle(f);
	fake_give(&f->provider, "ASIATWO", 0, true);
	settle(f);
	assert_non_null(strstr(f->http.last->headers, "ASIATWO"));
	holds(f, "AWSCURRENT", 1);
	assert_int_equal(f->times, 3);
	assert_string_equal(f->password, "p1");
	/* a reading that fails leaves what there is */
	assert_true(kept_refused(f));
	fake_http_reply(&f->http, 400, "{\"__type\":\"AccessDeniedException\"}");
	settle(f);
	kept_gives(f, "p1");
}

/* Nobody asks, because whoever would waits for there to be one: it is read again, ever more rarely, until there is. */
static void nobody_asks(void **state)
{
	struct kept *f = *state;
	unsigned starts = 1;

	settle(f);
	assert_true(kept_stats(f).lacking_now);
	assert_non_null(strstr(kept_stats(f).why.msg, "the secret prod/db: it has not been read yet"));
	assert_non_null(strstr(kept_stats(f).why.hint, "have not answered yet"));
	fake_give(&f->provider, "ASIAONE", 0, true);
	settle(f);
	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(kept_stats(f).lacking_now, true);
		if (fake_http_pending(&f->http) > 0) {
			fake_http_reply(&f->http, 400, "{\"__type\":\"ResourceNotFoundException\"}");
			settle(f);
			assert_non_null(strstr(kept_stats(f).why.msg, "ResourceNotFoundException"));
			starts = f->http.starts;
		}
		pass(f, 1 * SEC);
		if (f->provider.cb) /* who was refused asks whether there are others */
			fake_give(&f->provider, "ASIAONE", 0, true);
		settle(f);
	}
	assert_in_range(starts, 8, 12);
	pass(f, 60 * SEC);
	if (f->provider.cb)
		fake_give(&f->provider, "ASIAONE", 0, true);
	settle(f);
	holds(f, "AWSCURRENT", 1);
	assert_false(kept_stats(f).lacking_now);
	starts = f->http.starts;
	pass(f, 300 * SEC);
	assert_int_equal(f->http.starts, starts); /* nor is it read for nobody from then on */
	kept_gives(f, "p1");
}

static void no_credentials(void **state)
{
	struct kept *f = *state;

	settle(f);
	kept_start(f);
	settle(f);
	fake_fail(&f->provider, PROVIDER_FAILED, "fake: broken");
	settle(f);
	assert_int_equal(f->times, 1);
	assert_non_null(strstr(f->e.msg, "fake: broken"));
}

static void going_away(void **state)
{
	struct kept *f = *state;
	struct secret_op *op;
	struct err e = {.code = ERR_NONE};

	op = kept_start(f);
	f->source->ops->cancel(op);
	begin(f);
	assert_int_equal(f->times, 0);
	f->source->ops->cancel(kept_start(f));
	settle(f);
	assert_int_equal(f->times, 0);
	kept_gives(f, "p1");
	explain(f, f->no, &e);
	assert_non_null(strstr(e.detail, "user \"u1\" is from the secret prod/db (AWSCURRENT, version v-1)."));
	assert_null(strstr(e.detail, "p1"));
	/* in the middle of a reading */
	assert_true(kept_refused(f));
	kept_start(f);
	settle(f);
	assert_int_equal(fake_http_pending(&f->http), 1);
	kept_close(f);
	settle(f);
	assert_int_equal(f->times, 2);
	assert_string_equal(f->password, "p1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(no_values),
		cmocka_unit_test(names),
		cmocka_unit_test_setup_teardown(read_once, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(a_new_version, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(two_logins_at_once, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(all_stages, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(another_worker, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(away, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(failures, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(no_credentials, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(nobody_asks, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(going_away, setup, kept_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
