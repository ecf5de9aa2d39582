/* Requests of tests/vectors/sigv4.json, which botocore signed, as pgiam's own code sends them; and that no part of that
 * file is left without a test. */
#include "vectors.h"
#include "fake_http.h"
#include "aws/redshift.h"
#include "aws/secrets_manager.h"
#include "aws/service_call.h"
#include "aws/skew.h"
#include "aws/sts.h"

/* ---- sending ---- */

static const char *const env[] = {NULL};

struct world {
	struct fake_clock clock;
	struct loop *loop;
	struct fake_http http;
	struct skew skew;
	struct provider_deps deps;
	struct credentials *creds;
};

/* At the time of the vector, with its credentials. */
static void begin(struct world *w, const cJSON *item)
{
	w->clock = fake_clock_make();
	if (vectors_str(item, "timestamp"))
		w->clock.wall_us = vectors_time(item);
	w->loop = loop_new(&w->clock.base, NULL, NULL);
	fake_http_init(&w->http);
	skew_init(&w->skew);
	w->deps = (struct provider_deps){.loop = w->loop, .env = env, .http = &w->http.base, .skew = &w->skew};
	w->creds = cJSON_GetObjectItem(item, "credentials") ? vectors_credentials(item) : NULL;
}

static void end(struct world *w)
{
	assert_int_equal(fake_http_pending(&w->http), 0);
	credentials_unref(w->creds);
	loop_free(w->loop);
}

static void has_line(const struct world *w, const char *name, const char *value)
{
	char *line = mem_printf("%s: %s\n", name, value);

	if (!strstr(w->http.last->headers, line))
		fail_msg("not sent: %s", line);
	free(line);
}

/* What is under way asks what the vector does, in the same words. Nothing answers. */
static void is_asked(const struct world *w, const cJSON *item)
{
	const struct fake_http_op *op = w->http.last;
	const cJSON *h;

	assert_int_equal(fake_http_pending(&w->http), 1);
	assert_string_equal(op->method, vectors_str(item, "method"));
	assert_string_equal(op->url, vectors_str(item, "url"));
	assert_string_equal(op->body, vectors_str(item, "body"));
	cJSON_ArrayForEach(h, cJSON_GetObjectItem(item, "signed_headers")) has_line(w, h->string, h->valuestring);
}

/* ... and is signed alike. */
static void is_sent(const struct world *w, const cJSON *item)
{
	is_asked(w, item);
	has_line(w, "authorization", vectors_str(item, "expected_authorization"));
}

static const char *text(const cJSON *item, const char *name)
{
	return vectors_str(cJSON_GetObjectItem(item, "params"), name);
}

static unsigned number(const cJSON *item, const char *name)
{
	return (unsigned)cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetObjectItem(item, "params"), name));
}

/* ---- any body: the place, the headers, the signature ---- */

static void never(void *arg, const struct call_answer *a)
{
	(void)arg;
	(void)a;
	fail();
}

static enum service_id service_of(const cJSON *item)
{
	static const struct {
		const char *name;
		enum service_id id;
	} services[] = {{"sts", SERVICE_STS},
			{"secretsmanager", SERVICE_SECRETS_MANAGER},
			{"redshift", SERVICE_REDSHIFT},
			{"redshift-serverless", SERVICE_REDSHIFT_SERVERLESS}};

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (strcmp(services[i].name, vectors_str(item, "signing_service")) == 0)
			return services[i].id;
	fail_msg("no such service: %s", vectors_str(item, "signing_service"));
	return SERVICE_STS;
}

static void called(const cJSON *item)
{
	static const struct service_hint none[] = {{NULL, NULL}};
	const cJSON *headers = cJSON_GetObjectItem(item, "signed_headers");
	struct service_call *call;
	struct world w;

	begin(&w, item);
	call = service_call_start(&w.deps,
				  &(struct service_request){
					  .service = service_of(item),
					  .who = "test",
					  .region = vectors_str(item, "signing_region"),
					  .content_type = vectors_str(headers, "content-type"),
					  .header = {vectors_str(headers, "x-amz-target") ? "x-amz-target" : NULL,
						     vectors_str(headers, "x-amz-target")},
					  .body = slice_str(vectors_str(item, "body")),
					  .signer = w.creds,
					  .hints = none,
				  },
				  never, NULL);
	is_sent(&w, item);
	service_call_cancel(call);
	end(&w);
}

static void calls(void **state)
{
	(void)state;
	vectors_each("signed_requests", NULL, 12, called);
}

/* ---- bodies of pgiam's own ---- */

static void no_sts(void *arg, const struct sts_answer *a)
{
	(void)arg;
	(void)a;
	fail();
}

/* pgiam asks for JSON, which is signed as well. */
static void sts_sent(struct world *w, const cJSON *item, enum sts_action action)
{
	struct sts *s = sts_start(&w->deps,
				  &(struct sts_request){
					  .action = action,
					  .provider = "test",
					  .region = action == STS_WEB_IDENTITY ? "us-east-1"
									       : vectors_str(item, "signing_region"),
					  .source = w->creds,
					  .role_arn = text(item, "RoleArn"),
					  .session_name = text(item, "RoleSessionName"),
					  .duration_sec = cJSON_GetObjectItem(cJSON_GetObjectItem(item, "params"), "DurationSeconds")
								  ? number(item, "DurationSeconds")
								  : 0,
					  .web_token = slice_str(text(item, "WebIdentityToken")),
				  },
				  no_sts, NULL);

	is_asked(w, item);
	sts_cancel(s);
}

static void no_secret(void *arg, const struct secret_reader_answer *a)
{
	(void)arg;
	(void)a;
	fail();
}

/* "g1,g2", owned; NULL without any. */
static char *groups(const cJSON *item)
{
	const cJSON *g, *list = cJSON_GetObjectItem(cJSON_GetObjectItem(item, "params"), "DbGroups");
	struct buf b;
	char *out;

	if (!list)
		return NULL;
	buf_init(&b, 1000);
	cJSON_ArrayForEach(g, list) buf_printf(&b, "%s%s", b.n ? ", " : "", g->valuestring);
	out = mem_strdup(buf_cstr(&b));
	buf_free(&b);
	return out;
}

static void redshift_sent(struct world *w, const cJSON *item, enum redshift_call call)
{
	bool serverless = call == REDSHIFT_SERVERLESS;
	const char *duration = serverless ? "durationSeconds" : "DurationSeconds";
	char *names = groups(item);
	const struct redshift_request rq = {
		.call = call,
		.region = vectors_str(item, "signing_region"),
		.name = text(item, serverless ? "workgroupName" : "ClusterIdentifier"),
		.db_name = text(item, serverless ? "dbName" : "DbName"),
		.duration_sec = cJSON_GetObjectItem(cJSON_GetObjectItem(item, "params"), duration) ? number(item, duration) : 0,
		.db_user = text(item, "DbUser"),
		.db_groups = names,
		.auto_create = cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetObjectItem(item, "params"), "AutoCreate")),
	};
	struct secret_reader *r = redshift_reader_new(&w->deps, &rq, NULL);

	free(names); /* copied */
	r->ops->read(r, w->creds, NULL, no_secret, NULL);
	is_sent(w, item);
	r->ops->cancel(r);
	r->ops->free(r);
}

/* GetSecretValue names its stage always; that a vector does not is the only difference. */
static void secret_sent(struct world *w, const cJSON *item)
{
	const char *stage = text(item, "VersionStage");
	struct secrets_manager *s = secrets_manager_get(
		&w->deps,
		&(struct secrets_manager_request){.id = text(item, "SecretId"),
						  .stage = stage ? stage : "AWSCURRENT",
						  .region = vectors_str(item, "signing_region"),
						  .signer = w->creds},
		no_secret, NULL);
	char *body = mem_printf("{\"SecretId\": \"%s\", \"VersionStage\": \"%s\"}", text(item, "SecretId"),
				stage ? stage : "AWSCURRENT");

	assert_string_equal(w->http.last->url, vectors_str(item, "url"));
	assert_string_equal(w->http.last->body, body);
	assert_non_null(strstr(w->http.last->headers, "content-type: application/x-amz-json-1.1\n"));
	assert_non_null(strstr(w->http.last->headers, "x-amz-target: secretsmanager.GetSecretValue\n"));
	assert_non_null(strstr(w->http.last->headers, "SignedHeaders=content-type;host;x-amz-date;x-amz-"));
	secrets_manager_cancel(s);
	free(body);
}

static void made(const cJSON *item)
{
	const char *operation = vectors_str(item, "operation");
	struct world w;

	begin(&w, item);
	if (strcmp(operation, "get_secret_value") == 0)
		secret_sent(&w, item);
	else if (strcmp(operation, "assume_role") == 0 && !text(item, "Policy")) /* pgiam sends none */
		sts_sent(&w, item, STS_ASSUME_ROLE);
	else if (strcmp(operation, "get_caller_identity") == 0)
		sts_sent(&w, item, STS_CALLER_IDENTITY);
	else if (strcmp(operation, "get_cluster_credentials") == 0)
		redshift_sent(&w, item, REDSHIFT_USER);
	else if (strcmp(operation, "get_credentials") == 0)
		redshift_sent(&w, item, REDSHIFT_SERVERLESS);
	else
		assert_string_equal(vectors_str(item, "name"), "sts-assume-role-full");
	end(&w);
}

static void own_bodies(void **state)
{
	(void)state;
	vectors_each("signed_requests", NULL, 12, made);
}

/* Those of IAM Identity Center and of `aws login` are compared where these are asked: test_provider_profile.c. */
static void unsigned_made(const cJSON *item)
{
	struct world w;

	if (strcmp(vectors_str(item, "operation"), "assume_role_with_web_identity") != 0)
		return;
	begin(&w, item);
	sts_sent(&w, item, STS_WEB_IDENTITY);
	end(&w);
}

static void unsigned_bodies(void **state)
{
	(void)state;
	vectors_each("unsigned_requests", NULL, 4, unsigned_made);
}

/* ---- nothing is left out ---- */

static const struct {
	const char *path;
	int count;
	const char *test; /* whose vectors_each has this count, or which file has them all */
} parts[] = {
	{"rds_tokens",                     33, "test_token.c"           },
	{"dsql_tokens",                    6,  "test_token.c"           },
	{"cross_sdk",                      3,  "test_token.c"           },
	{"signed_requests",                12, "test_sigv4.c and this"  },
	{"unsigned_requests",              4,  "this, test_provider_profile.c, test_login.c"},
	{"components/percent_encode",      20, "test_sigv4.c"           },
	{"components/signing_key",         5,  "test_sigv4.c"           },
	{"components/sso_cache_filename",  3,  "test_provider_profile.c"},
	{"components/login_cache_filename", 2, "test_provider_profile.c"},
	{"region_from_host/cases",         28, "test_endpoint.c"        },
};

/* Every list in the file is one of the parts, and as long as its test says. */
static int count_lists(const cJSON *at, const char *path)
{
	const cJSON *item;
	int n = 0;

	cJSON_ArrayForEach(item, at)
	{
		char *name = mem_printf("%s%s%s", path, *path ? "/" : "", item->string);

		if (cJSON_IsArray(item)) {
			size_t i = 0;

			while (i < sizeof(parts) / sizeof(parts[0]) && strcmp(parts[i].path, name) != 0)
				i++;
			if (i == sizeof(parts) / sizeof(parts[0]))
				fail_msg("no test has the vectors %s", name);
			assert_int_equal(cJSON_GetArraySize(item), parts[i].count);
			n++;
		} else if (cJSON_IsObject(item)) {
			n += count_lists(item, name);
		}
		free(name);
	}
	return n;
}

static void all_parts(void **state)
{
	cJSON *root = vectors_load();

	(void)state;
	assert_int_equal(count_lists(root, ""), sizeof(parts) / sizeof(parts[0]));
	cJSON_Delete(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls),
		cmocka_unit_test(own_bodies),
		cmocka_unit_test(unsigned_bodies),
		cmocka_unit_test(all_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
