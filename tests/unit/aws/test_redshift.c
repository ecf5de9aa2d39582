/* Temporary credentials of Redshift: what is answered, and how long it is kept. */
#include "kept_kit.h"
#include "aws/redshift.h"

#define MIN (60 * SEC)

/* ---- answers, as the API's reference has them ---- */

#define XML(call, inner)                                                                                               \
	"<" call "Response xmlns=\"http://redshift.amazonaws.com/doc/2012-12-01/\">\n  <" call "Result>\n" inner          \
	"  </" call "Result>\n  <ResponseMetadata>\n    <RequestId>fcd08d29-9b51-11e6-b4e1-0f1e2d3c4b5a</RequestId>\n"       \
	"  </ResponseMetadata>\n</" call "Response>\n"
#define WHO      "    <DbUser>IAM:joe</DbUser>\n"
#define PASSWORD "    <DbPassword>se&lt;sa&amp;me==</DbPassword>\n"
#define UNTIL    "    <Expiration>2026-01-15T12:49:56.123Z</Expiration>\n"

static const struct {
	enum redshift_call call;
	const char *reply, *user, *password;
	int64_t expires_us;
} good[] = {
	{REDSHIFT_USER, XML("GetClusterCredentials", UNTIL WHO PASSWORD), "IAM:joe", "se<sa&me==", T0 + 15 * MIN + 123000},
	{REDSHIFT_IDENTITY,
	 XML("GetClusterCredentialsWithIAM", "<DbUser>IAMR:reports</DbUser>" PASSWORD
	     "<Expiration>2026-01-15T12:49:56Z</Expiration><NextRefreshTime>2026-01-15T12:44:56Z</NextRefreshTime>"),
	 "IAMR:reports", "se<sa&me==", T0 + 15 * MIN},
	{REDSHIFT_SERVERLESS,
	 "{\"dbPassword\":\"sesame\\\"\",\"dbUser\":\"IAM:joe\",\"expiration\":1.768481396E9,\"nextRefreshTime\":1.768481E9}",
	 "IAM:joe", "sesame\"", T0 + 15 * MIN},
	{REDSHIFT_SERVERLESS, "{\"dbPassword\":\"sesame\",\"dbUser\":\"IAM:joe\",\"expiration\":\"2026-01-15T12:49:56Z\"}",
	 "IAM:joe", "sesame", T0 + 15 * MIN},
};

static const struct {
	enum redshift_call call;
	const char *reply;
} bad[] = {
	{REDSHIFT_USER, ""},
	{REDSHIFT_USER, "sesame"},
	{REDSHIFT_USER, XML("GetClusterCredentials", WHO UNTIL)},
	{REDSHIFT_USER, XML("GetClusterCredentials", PASSWORD UNTIL)},
	{REDSHIFT_USER, XML("GetClusterCredentials", WHO PASSWORD)},
	{REDSHIFT_USER, XML("GetClusterCredentials", "<DbUser></DbUser>" PASSWORD UNTIL)},
	{REDSHIFT_USER, XML("GetClusterCredentials", WHO "<DbPassword></DbPassword>" UNTIL)},
	{REDSHIFT_USER, XML("GetClusterCredentials", WHO PASSWORD "<Expiration>soon</Expiration>")},
	{REDSHIFT_USER, XML("GetClusterCredentials", "<DbUser>a&#10;b</DbUser>" PASSWORD UNTIL)},
	/* the answer to another question */
	{REDSHIFT_USER, XML("GetClusterCredentialsWithIAM", WHO PASSWORD UNTIL)},
	{REDSHIFT_IDENTITY, XML("GetClusterCredentials", WHO PASSWORD UNTIL)},
	{REDSHIFT_SERVERLESS, XML("GetClusterCredentials", WHO PASSWORD UNTIL)},
	{REDSHIFT_USER, "{\"dbPassword\":\"sesame\",\"dbUser\":\"joe\",\"expiration\":1768481396}"},
	{REDSHIFT_SERVERLESS, "{\"dbPassword\":\"sesame\",\"dbUser\":\"joe\"}"},
	{REDSHIFT_SERVERLESS, "{\"dbPassword\":\"sesame\",\"dbUser\":\"joe\",\"expiration\":0}"},
	{REDSHIFT_SERVERLESS, "{\"dbPassword\":\"sesame\",\"dbUser\":\"joe\",\"expiration\":-1}"},
	{REDSHIFT_SERVERLESS, "{\"dbPassword\":\"sesame\",\"dbUser\":\"joe\",\"expiration\":\"soon\"}"},
	{REDSHIFT_SERVERLESS, "{\"dbPassword\":\"sesame\",\"dbUser\":\"\",\"expiration\":1768481396}"},
	{REDSHIFT_SERVERLESS, "{\"dbPassword\":\"\",\"dbUser\":\"joe\",\"expiration\":1768481396}"},
	{REDSHIFT_SERVERLESS, "{\"dbPassword\":5,\"dbUser\":\"joe\",\"expiration\":1768481396}"},
	{REDSHIFT_SERVERLESS, "{\"dbPassword\":\"sesame\",\"dbUser\":\"a\\nb\",\"expiration\":1768481396}"},
	{REDSHIFT_SERVERLESS, "{\"dbPassword\":\"sesame\\u0000x\",\"dbUser\":\"joe\",\"expiration\":1768481396}"},
};

static void answers(void **state)
{
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct secret_value *v = redshift_answer(good[i].call, slice_str(good[i].reply), NULL, &e);

		assert_non_null(v);
		assert_string_equal(v->user, good[i].user);
		assert_true(slice_eq_str(secret_slice(&v->password), good[i].password));
		assert_int_equal(v->expires_wall_us, good[i].expires_us);
		assert_string_equal(v->how, redshift_call_name(good[i].call));
		secret_value_unref(v);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(redshift_answer(bad[i].call, slice_str(bad[i].reply), NULL, &e));
		assert_int_equal(e.code, ERR_CREDENTIALS);
		assert_null(strstr(e.msg, "sesame"));
	}
}

/* Cut anywhere, it is none, or the same. */
static void cut_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		for (size_t n = 0; n < strlen(good[i].reply); n++) {
			char *cut = mem_strndup(good[i].reply, n);
			struct secret_value *v = redshift_answer(good[i].call, slice_str(cut), NULL, NULL);

			if (v)
				assert_string_equal(v->user, good[i].user);
			secret_value_unref(v);
			free(cut);
		}
	}
}

/* ---- questions ---- */

static void asks(const struct redshift_request *rq, const char *body, const char *text)
{
	struct buf b;

	buf_init(&b, 4096);
	redshift_body(rq, &b);
	assert_string_equal(buf_cstr(&b), body);
	buf_clear(&b);
	redshift_text(rq, &b);
	assert_string_equal(buf_cstr(&b), text);
	buf_free(&b);
}

/* The others are compared with botocore's in test_vectors.c. */
static void questions(void **state)
{
	struct redshift_request rq = {.call = REDSHIFT_USER,
				      .region = "eu-west-1",
				      .name = "c1",
				      .db_user = "joe&DbUser=admin",
				      .db_groups = " a b ,, c&d,"},
				other = rq;

	(void)state;
	asks(&rq,
	     "Action=GetClusterCredentials&Version=2012-12-01&DbUser=joe%26DbUser%3Dadmin&ClusterIdentifier=c1&AutoCreate=false"
	     "&DbGroups.DbGroup.1=a%20b&DbGroups.DbGroup.2=c%26d",
	     "the Redshift cluster c1 in eu-west-1, user joe&DbUser=admin");
	assert_true(redshift_same(&rq, &other));
	other.auto_create = true;
	assert_false(redshift_same(&rq, &other));
	other = rq;
	other.region = "eu-west-2";
	assert_false(redshift_same(&rq, &other));
	other = rq;
	other.call = rq.call = REDSHIFT_IDENTITY; /* what it does not ask for makes no difference */
	other.db_user = "jim";
	assert_true(redshift_same(&rq, &other));
	asks(&rq, "Action=GetClusterCredentialsWithIAM&Version=2012-12-01&ClusterIdentifier=c1", "the Redshift cluster c1 in eu-west-1");
	rq = (struct redshift_request){
		.call = REDSHIFT_SERVERLESS, .region = "eu-west-1", .name = "wg", .db_name = "d\"\n", .duration_sec = 3600};
	asks(&rq, "{\"workgroupName\": \"wg\", \"dbName\": \"d\\\"\\n\", \"durationSeconds\": 3600}",
	     "the Redshift workgroup wg in eu-west-1");
	rq.name = "dw.example.com";
	rq.db_name = NULL;
	asks(&rq, "{\"customDomainName\": \"dw.example.com\", \"durationSeconds\": 3600}",
	     "the Redshift workgroup at dw.example.com in eu-west-1");
	rq.call = REDSHIFT_IDENTITY;
	asks(&rq, "Action=GetClusterCredentialsWithIAM&Version=2012-12-01&CustomDomainName=dw.example.com&DurationSeconds=3600",
	     "the Redshift cluster at dw.example.com in eu-west-1");
	rq.call = REDSHIFT_USER;
	rq.db_user = "joe";
	asks(&rq,
	     "Action=GetClusterCredentials&Version=2012-12-01&DbUser=joe&CustomDomainName=dw.example.com&DurationSeconds=3600"
	     "&AutoCreate=false",
	     "the Redshift cluster at dw.example.com in eu-west-1, user joe");
	other = rq;
	other.name = "dw";
	assert_false(redshift_same(&rq, &other));
}

#define LONG    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 63 */
#define LABELS4 LONG "." LONG "." LONG "." LONG

static void names(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} cases[] = {
		{"examplecluster-1",   true },
		{"1",                  true },
		{LONG "a",             true },
		{LONG "aa",            false},
		{"",                   false},
		{"a b",                false},
		{"a_b",                false},
		/* custom domain names */
		{"dw.example.com",     true },
		{"a-1.B2.c",           true },
		{LONG ".example",      true },
		{LONG "a.example",     false},
		{"a.b.c3",             true },
		{"10.0.0.1",           false},
		{"a.1",                false},
		{"a.",                 false},
		{".a",                 false},
		{"a..b",               false},
		{"-a.b",               false},
		{"a-.b",               false},
		{"a.b-",               false},
		{"a.-b",               false},
		{"a_b.c",              false},
		{"a b.c",              false},
		{"a.b/",               false},
		{LABELS4,              false},
		{LONG "." LONG "." LONG "." "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (redshift_name_ok(cases[i].name) != cases[i].ok)
			fail_msg("%s", cases[i].name);
}

/* ---- keeping them ---- */

static struct secret_reader *reader(const struct provider_deps *d)
{
	const struct redshift_request rq = {.call = REDSHIFT_USER, .region = "us-east-1", .name = "c1", .db_user = "joe"};

	return redshift_reader_new(d, &rq, NULL);
}

static int setup(void **state)
{
	struct kept *f = kept_new("the Redshift cluster c1", reader);

	fake_give(&f->provider, "ASIAONE", 0, true);
	two_settle(&f->two);
	*state = f;
	return 0;
}

static void start(struct kept *f)
{
	kept_start(f);
	two_settle(&f->two);
}

static void gives(struct kept *f, const char *password)
{
	kept_gives(f, password);
	assert_string_equal(f->user, "IAM:joe");
}

/* AWS is asked, and answers with this password, good until then. */
static void hands_out(struct kept *f, const char *password, const char *until)
{
	char reply[1024];

	assert_int_equal(fake_http_pending(&f->http), 1);
	snprintf(reply, sizeof(reply),
		 XML("GetClusterCredentials", WHO "<DbPassword>%s</DbPassword><Expiration>%s</Expiration>"), password, until);
	fake_http_reply(&f->http, 200, reply);
	two_settle(&f->two);
}

/* The first quarter of an hour: T0 is 12:34:56. */
static void kept_while_it_lives(void **state)
{
	struct kept *f = *state;

	start(f);
	assert_int_equal(f->times, 0);
	assert_string_equal(f->http.last->url, "https://redshift.us-east-1.amazonaws.com/");
	assert_non_null(strstr(f->http.last->headers, "us-east-1/redshift/aws4_request"));
	assert_false(f->http.last->allow_http);
	hands_out(f, "p1", "2026-01-15T12:49:56Z");
	assert_int_equal(f->times, 1);
	assert_string_equal(f->password, "p1");
	two_pass(&f->two, 7 * MIN);
	gives(f, "p1");
	assert_int_equal(f->http.starts, 1);
	/* from half of its life on another is asked for, and nobody waits for it */
	two_pass(&f->two, 1 * MIN);
	gives(f, "p1");
	hands_out(f, "p2", "2026-01-15T12:57:56Z");
	two_pass(&f->two, 11 * SEC);
	gives(f, "p1");
	gives(f, "p2"); /* workers hear of it when they ask the next time */
	assert_int_equal(f->http.starts, 2);
	/* nobody asks, nothing is called */
	two_pass(&f->two, 3600 * SEC);
	assert_int_equal(f->http.starts, 2);
	start(f);
	assert_int_equal(f->times, 5);
	hands_out(f, "p3", "2026-01-15T14:00:00Z");
	assert_int_equal(f->times, 6);
	assert_string_equal(f->password, "p3");
}

/* What fails does not matter while the old lives; then it is told; and it is not tried at every login. */
static void service_away(void **state)
{
	struct kept *f = *state;

	hands_out(f, "p1", "2026-01-15T12:49:56Z");
	two_pass(&f->two, 8 * MIN);
	gives(f, "p1"); /* the first of its worker: what is here is good enough for it */
	assert_int_equal(fake_http_pending(&f->http), 1);
	fake_http_reply(&f->http, 403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>");
	two_settle(&f->two);
	gives(f, "p1");
	assert_int_equal(f->http.starts, 2);
	two_pass(&f->two, 8 * MIN);
	start(f);
	fake_give(&f->provider, "ASIATWO", 0, true); /* AWS turned the first ones down */
	two_settle(&f->two);
	assert_non_null(strstr(f->http.last->headers, "ASIATWO"));
	fake_http_reply(&f->http, 404, "<ErrorResponse><Error><Code>ClusterNotFound</Code></Error></ErrorResponse>");
	two_settle(&f->two);
	assert_int_equal(f->times, 3);
	assert_int_equal(f->e.code, ERR_CREDENTIALS);
	assert_non_null(strstr(f->e.msg, "the Redshift cluster c1: redshift GetClusterCredentials: HTTP status 404, ClusterNotFound"));
	assert_non_null(strstr(f->e.hint, "cluster_id"));
	start(f);
	assert_int_equal(f->times, 4);
	assert_int_equal(f->http.starts, 3);
}

/* What failed while the old lived counts from its end on: then another is read although nobody asks, or whoever waits for that
 * before he sends clients would wait for ever. */
static void ends_after_a_failure(void **state)
{
	struct kept *f = *state;

	hands_out(f, "p1", "2026-01-15T12:49:56Z");
	two_pass(&f->two, 8 * MIN);
	gives(f, "p1");
	fake_http_reply(&f->http, 404, "<ErrorResponse><Error><Code>ClusterNotFound</Code></Error></ErrorResponse>");
	two_settle(&f->two);
	two_pass(&f->two, 6 * MIN);
	assert_false(kept_stats(f).lacking_now);
	assert_int_equal(f->http.starts, 2);
	two_pass(&f->two, 61 * SEC);
	assert_true(kept_stats(f).lacking_now);
	fake_give(&f->provider, "ASIATWO", 0, true);
	two_settle(&f->two);
	assert_int_equal(f->http.starts, 3);
	hands_out(f, "p2", "2026-01-15T13:04:56Z");
	assert_false(kept_stats(f).lacking_now);
	/* nobody asks, nothing failed, nothing is called */
	two_pass(&f->two, 3600 * SEC);
	assert_false(kept_stats(f).lacking_now);
	assert_int_equal(f->http.starts, 3);
}

static void turned_down(void **state)
{
	struct kept *f = *state;
	struct err e;

	hands_out(f, "p1", "2026-01-15T13:34:56Z");
	gives(f, "p1");
	err_set(&e, ERR_AUTH_PASSWORD, "refused");
	f->source->ops->explain(f->source, &(struct secret_request){"db.example", 5439, "IAM:joe"}, f->no, &e);
	assert_string_equal(e.detail, "The password of user \"IAM:joe\" is from the Redshift cluster c1 (GetClusterCredentials). "
				      "It expires in 1 h 00 min; this machine's clock shows 2026-01-15T12:34:56Z.");
	assert_true(kept_refused(f));
	start(f);
	assert_int_equal(f->times, 1);
	hands_out(f, "p2", "2026-01-15T13:34:56Z");
	assert_int_equal(f->times, 2);
	assert_string_equal(f->password, "p2");
	/* at once again: bounded */
	assert_false(kept_refused(f));
	gives(f, "p2");
	two_pass(&f->two, 11 * SEC);
	assert_true(kept_refused(f));
	hands_out(f, "p3", "2026-01-15T13:34:56Z");
	gives(f, "p3");
}

static void dead_on_arrival(void **state)
{
	struct kept *f = *state;

	start(f);
	hands_out(f, "p1", "2026-01-15T12:34:00Z");
	assert_int_equal(f->times, 1);
	assert_non_null(strstr(f->e.msg, "has expired already"));
	two_pass(&f->two, 2 * SEC);
	start(f);
	fake_http_reply(&f->http, 200, "sesame");
	two_settle(&f->two);
	assert_int_equal(f->times, 2);
	assert_non_null(strstr(f->e.msg, "not one of GetClusterCredentials"));
	two_pass(&f->two, 3 * SEC);
	start(f);
	hands_out(f, "p2", "2026-01-15T12:49:56Z");
	assert_int_equal(f->times, 3);
	assert_string_equal(f->password, "p2");
}

/* Whoever asks before it would be read again by itself has it read; that is not done twice. */
static void asked_for_meanwhile(void **state)
{
	struct kept *f = *state;

	fake_http_reply(&f->http, 200, "sesame");
	two_pass(&f->two, 1 * SEC);
	start(f);
	assert_int_equal(f->http.starts, 2);
	two_pass(&f->two, 5 * SEC);
	assert_int_equal(f->http.starts, 2);
	hands_out(f, "p1", "2026-01-15T12:49:56Z");
	assert_int_equal(f->times, 1);
	assert_string_equal(f->password, "p1");
}

static void going_away(void **state)
{
	struct kept *f = *state;
	struct secret_op *op = kept_start(f);

	two_settle(&f->two);
	assert_int_equal(fake_http_pending(&f->http), 1);
	f->source->ops->cancel(op); /* and all of it, in the middle of the call */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(cut_answers),
		cmocka_unit_test(questions), cmocka_unit_test(names),
		cmocka_unit_test_setup_teardown(kept_while_it_lives, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(service_away, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(ends_after_a_failure, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(turned_down, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(dead_on_arrival, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(asked_for_meanwhile, setup, kept_teardown),
		cmocka_unit_test_setup_teardown(going_away, setup, kept_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
