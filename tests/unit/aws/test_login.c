/* `aws login`: the proof of possession, the file, and the renewal of what is in it. */
#include "fake_http.h"
#include "home.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include "aws/dpop.h"
#include "aws/file.h"
#include "aws/login_cache.h"
#include "aws/provider_profile.h"
#include "aws/region_finder.h"
#include "base/enc.h"

#define URL "https://eu-west-1.signin.aws.amazon.com/v1/token"

/* ---- keys, as the CLI keeps them ---- */

static void pem_of(EVP_PKEY *key, bool traditional, const char *password, char out[2048])
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	if (traditional)
		assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	else
		assert_int_equal(PEM_write_bio_PrivateKey(bio, key, password ? EVP_aes_128_cbc() : NULL,
							  (const unsigned char *)password,
							  password ? (int)strlen(password) : 0, NULL, NULL),
				 1);
	n = BIO_read(bio, out, 2047);
	assert_in_range(n, 1, 2046);
	out[n] = '\0';
	BIO_free(bio);
}

/* The bytes of a part of a JWT. */
static struct slice decode(struct slice part, struct buf *out)
{
	char text[4096];

	assert_true(part.n + 4 < sizeof(text));
	memset(text, 0, sizeof(text));
	for (size_t i = 0; i < part.n; i++)
		text[i] = (char)(part.p[i] == '-' ? '+' : part.p[i] == '_' ? '/' : part.p[i]);
	for (size_t i = part.n; i % 4; i++)
		text[i] = '=';
	buf_init(out, 4096);
	assert_int_equal(enc_base64_decode(out, slice_str(text)), 0);
	return buf_slice(out);
}

static bool verifies(EVP_PKEY *key, struct slice text, struct slice raw)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	int n, rc;

	assert_int_equal(raw.n, 64);
	ECDSA_SIG_set0(sig, BN_bin2bn(raw.p, 32, NULL), BN_bin2bn(raw.p + 32, 32, NULL));
	n = i2d_ECDSA_SIG(sig, &der);
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	rc = EVP_DigestVerify(ctx, der, (size_t)n, text.p, text.n);
	OPENSSL_free(der);
	EVP_MD_CTX_free(ctx);
	ECDSA_SIG_free(sig);
	return rc == 1;
}

/* Checks one proof; its number goes to jti. */
static void check_proof(EVP_PKEY *key, struct slice proof, char jti[64])
{
	const unsigned char *dot = memchr(proof.p, '.', proof.n), *end = proof.p + proof.n;
	const unsigned char *dot2 = dot ? memchr(dot + 1, '.', (size_t)(end - dot - 1)) : NULL;
	struct buf header, claims, signature;
	struct json *j;
	double iat;

	assert_non_null(dot2);
	j = json_parse(decode(slice_of(proof.p, (size_t)(dot - proof.p)), &header));
	assert_non_null(j);
	assert_true(slice_eq_str(json_string(j, "typ"), "dpop+jwt"));
	assert_true(slice_eq_str(json_string(j, "alg"), "ES256"));
	assert_true(slice_eq_str(json_string(j, "jwk/kty"), "EC"));
	assert_true(slice_eq_str(json_string(j, "jwk/crv"), "P-256"));
	assert_int_equal(json_string(j, "jwk/x").n, 43);
	assert_int_equal(json_string(j, "jwk/y").n, 43);
	assert_int_equal(json_string(j, "jwk/d").n, 0); /* the private part */
	json_free(j);
	j = json_parse(decode(slice_of(dot + 1, (size_t)(dot2 - dot - 1)), &claims));
	assert_non_null(j);
	assert_true(slice_eq_str(json_string(j, "htm"), "POST"));
	assert_true(slice_eq_str(json_string(j, "htu"), URL));
	assert_true(json_number(j, "iat", &iat) && (int64_t)iat == T0 / SEC);
	assert_int_equal(json_string(j, "jti").n, 36);
	snprintf(jti, 64, "%.*s", SLICE_FMT(json_string(j, "jti")));
	json_free(j);
	decode(slice_of(dot2 + 1, (size_t)(end - dot2 - 1)), &signature);
	assert_true(verifies(key, slice_of(proof.p, (size_t)(dot2 - proof.p)), buf_slice(&signature)));
	assert_false(verifies(key, slice_of(proof.p, (size_t)(dot2 - proof.p) - 1), buf_slice(&signature)));
	buf_free(&header);
	buf_free(&claims);
	buf_free(&signature);
}

/* Many, as one in 128 numbers begins with a zero byte that may not be left out. */
static void proofs(void **state)
{
	char pem[2048], jti[2][64] = {"", ""};
	struct buf out;

	(void)state;
	for (int i = 0; i < 200; i++) {
		EVP_PKEY *key = EVP_EC_gen("P-256");

		pem_of(key, i % 2, NULL, pem);
		buf_init(&out, 8192);
		assert_int_equal(dpop_proof(slice_str(pem), URL, T0 + 999999, &out, NULL), 0);
		check_proof(key, buf_slice(&out), jti[i % 2]);
		assert_string_not_equal(jti[0], jti[1]);
		buf_free(&out);
		EVP_PKEY_free(key);
	}
}

static void no_proofs(void **state)
{
	EVP_PKEY *p384 = EVP_EC_gen("P-384"), *p256 = EVP_EC_gen("P-256"), *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	char pem[5][2048] = {"", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"};
	struct buf out;
	struct err e;

	(void)state;
	pem_of(p384, false, NULL, pem[3]);
	pem_of(ed, false, NULL, pem[4]);
	for (int i = 0; i < 5; i++) {
		buf_init(&out, 8192);
		assert_int_equal(dpop_proof(slice_str(pem[i]), URL, T0, &out, &e), -1);
		assert_string_equal(e.msg, "the key is no private key on the curve P-256");
		assert_int_equal(out.n, 0);
	}
	pem_of(p256, false, "password", pem[0]); /* nobody is asked for it */
	assert_int_equal(dpop_proof(slice_str(pem[0]), URL, T0, &out, &e), -1);
	pem_of(p256, false, NULL, pem[0]);
	for (size_t n = 0; n + 30 < strlen(pem[0]); n += 7) /* cut off */
		assert_int_equal(dpop_proof(slice_of((const unsigned char *)pem[0], n), URL, T0, &out, NULL), -1);
	buf_init(&out, 10); /* no room */
	assert_int_equal(dpop_proof(slice_str(pem[0]), URL, T0, &out, NULL), -1);
	buf_free(&out);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(p256);
	EVP_PKEY_free(ed);
}

/* ---- the answer ---- */

#define FRESH                                                                                                \
	"{\"accessToken\":{\"accessKeyId\":\"ASIANEW\",\"secretAccessKey\":\"new\",\"sessionToken\":\"n\"}," \
	"\"tokenType\":\"aws_sigv4\",\"expiresIn\":900,\"refreshToken\":\"refresh-2\"}"

static void answers(void **state)
{
	static const char file[] = "{\"accessToken\":{\"accessKeyId\":\"ASIAOLD\",\"secretAccessKey\":\"old\","
				   "\"sessionToken\":\"o\",\"accountId\":\"123456789012\",\"expiresAt\":"
				   "\"2026-01-15T12:44:56Z\"},\"idToken\":\"id\",\"refreshToken\":\"r\"}";
	static const char *const bad[] = {
		"[]",
		"{\"accessToken\":\"x\",\"expiresIn\":900,\"refreshToken\":\"r\"}",
		"{\"accessToken\":{\"accessKeyId\":\"A\",\"secretAccessKey\":\"s\",\"sessionToken\":\"\"},\"expiresIn\":900,"
		"\"refreshToken\":\"r\"}",
		"{\"accessToken\":{\"accessKeyId\":\"A\",\"secretAccessKey\":\"s\",\"sessionToken\":\"t\"},\"expiresIn\":900}",
		"{\"accessToken\":{\"accessKeyId\":\"A\",\"secretAccessKey\":\"s\",\"sessionToken\":\"t\"},\"expiresIn\":0,"
		"\"refreshToken\":\"r\"}",
		"{\"accessToken\":{\"accessKeyId\":\"A\",\"secretAccessKey\":\"s\",\"sessionToken\":\"t\"},\"expiresIn\":1e300,"
		"\"refreshToken\":\"r\"}",
	};
	struct login_token t;
	struct credentials *c;
	struct buf out;

	(void)state;
	assert_int_equal(login_cache_parse(slice_str(file), &t, NULL), 0);
	assert_false(login_cache_can_renew(&t));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(login_cache_renew(&t, slice_str(bad[i]), T0), -1);
	for (size_t n = 0; n < strlen(FRESH); n++)
		assert_int_equal(login_cache_renew(&t, slice_of((const unsigned char *)FRESH, n), T0), -1);
	assert_true(slice_eq_str(t.refresh, "r")); /* untouched */
	assert_int_equal(login_cache_renew(&t, slice_str(FRESH), T0), 0);
	assert_true(slice_eq_str(t.refresh, "refresh-2"));
	c = login_cache_credentials(&t, NULL);
	assert_string_equal(c->access_key, "ASIANEW");
	assert_string_equal(c->account_id, "123456789012");
	assert_int_equal(c->expires_wall_us, T0 + 900 * SEC);
	credentials_unref(c);
	buf_init(&out, 4096);
	json_print(t.json, &out);
	assert_non_null(strstr(buf_cstr(&out), "\"expiresAt\":\"2026-01-15T12:49:56Z\""));
	assert_non_null(strstr(buf_cstr(&out), "\"idToken\":\"id\""));
	buf_free(&out);
	login_cache_free(&t);
}

/* ---- the provider ---- */

struct fixture {
	struct fake_clock clock;
	struct loop *loop;
	struct fake_http http;
	struct provider_deps deps;
	EVP_PKEY *key;
	struct home home;
	char path[200], directory[96];
	const char *env[4];
	struct provider *provider;
	/* the answer */
	unsigned times;
	enum provider_result result;
	enum provider_cause cause;
	char got[64];
	int64_t expires_us;
	struct err e;
};

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* A session's file whose credentials live so long; without the key it cannot be renewed. */
static void write_session(struct fixture *f, const char *expires_at, bool key)
{
	char pem[2048], escaped[4096] = "";
	char *text;
	size_t n = 0;

	pem_of(f->key, false, NULL, pem);
	for (const char *c = pem; *c; c++)
		n += (size_t)snprintf(escaped + n, sizeof(escaped) - n, *c == '\n' ? "\\n" : "%c", *c);
	text = mem_printf("{\"accessToken\":{\"accessKeyId\":\"ASIAOLD\",\"secretAccessKey\":\"old\",\"sessionToken\":"
			  "\"o\",\"accountId\":\"123456789012\",\"expiresAt\":\"%s\"},\"tokenType\":\"aws_sigv4\","
			  "\"clientId\":\"arn:aws:signin:::devtools/same-device\",\"refreshToken\":\"refresh-1\","
			  "\"idToken\":\"id\"%s%s%s}",
			  expires_at, key ? ",\"dpopKey\":\"" : "", key ? escaped : "", key ? "\"" : "");
	write_text(f->path, text);
	free(text);
}

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->clock = fake_clock_make();
	f->loop = loop_new(&f->clock.base, NULL, NULL);
	fake_http_init(&f->http);
	f->key = EVP_EC_gen("P-256");
	home_make(&f->home);
	home_write(&f->home, "config", "[profile x]\nlogin_session = me\nregion = eu-west-1\n");
	snprintf(f->directory, sizeof(f->directory), "AWS_LOGIN_CACHE_DIRECTORY=%s", f->home.path);
	f->env[0] = f->home.variable;
	f->env[1] = f->directory;
	{
		char *path = login_cache_path(f->env, " me\n", NULL);

		snprintf(f->path, sizeof(f->path), "%s", path);
		free(path);
	}
	f->deps = (struct provider_deps){.loop = f->loop, .env = f->env, .http = &f->http.base};
	f->deps.region = region_finder_new(&f->deps);
	f->provider = provider_profile_new(&f->deps, "x");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	provider_free(f->provider);
	region_finder_free(f->deps.region);
	assert_int_equal(fake_http_pending(&f->http), 0);
	loop_free(f->loop);
	EVP_PKEY_free(f->key);
	home_remove(&f->home);
	free(f);
	return 0;
}

static void hear(void *arg, const struct provider_answer *a)
{
	struct fixture *f = arg;

	f->times++;
	f->result = a->result;
	f->cause = a->cause;
	snprintf(f->got, sizeof(f->got), "%s", a->creds ? a->creds->access_key : "");
	f->expires_us = a->creds ? a->creds->expires_wall_us : 0;
	if (a->e)
		f->e = *a->e;
}

/* Asks; is the sign-in service asked then? */
static bool ask(struct fixture *f)
{
	unsigned before = f->http.starts;

	f->times = 0;
	provider_start(f->provider, hear, f);
	assert_int_equal(f->times, 0);
	fake_settle(f->loop);
	assert_int_equal(f->times, f->http.starts > before ? 0 : 1);
	return f->http.starts > before;
}

static void renewed(void **state)
{
	struct fixture *f = *state;
	char *proof, jti[64];
	struct buf text;
	struct stat st;

	write_session(f, "2026-01-15T12:40:57Z", true); /* six minutes and a second */
	assert_false(ask(f));
	assert_string_equal(f->got, "ASIAOLD");
	write_session(f, "2026-01-15T12:39:56Z", true); /* five */
	assert_true(ask(f));
	assert_string_equal(f->http.last->method, "POST");
	assert_string_equal(f->http.last->url, URL);
	assert_false(f->http.last->allow_http);
	assert_string_equal(f->http.last->body, "{\"clientId\":\"arn:aws:signin:::devtools/same-device\","
						"\"refreshToken\":\"refresh-1\",\"grantType\":\"refresh_token\"}");
	assert_non_null(strstr(f->http.last->headers, "content-type: application/json\n"));
	proof = strstr(f->http.last->headers, "dpop: ");
	assert_non_null(proof);
	check_proof(f->key, slice_of((unsigned char *)proof + 6, strcspn(proof + 6, "\n")), jti);
	fake_http_reply(&f->http, 200, FRESH);
	assert_int_equal(f->times, 1);
	assert_string_equal(f->got, "ASIANEW");
	assert_int_equal(f->expires_us, T0 + 900 * SEC);
	/* back in the file, with all else that was in it, for its owner only */
	buf_init(&text, CACHE_FILE_MAX);
	assert_int_equal(file_read(f->path, "test", &text, NULL), 0);
	assert_non_null(strstr(buf_cstr(&text), "\"refreshToken\":\"refresh-2\""));
	assert_non_null(strstr(buf_cstr(&text), "\"accountId\":\"123456789012\""));
	assert_non_null(strstr(buf_cstr(&text), "\"idToken\":\"id\""));
	assert_non_null(strstr(buf_cstr(&text), "PRIVATE KEY"));
	buf_free(&text);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_false(ask(f));
	assert_string_equal(f->got, "ASIANEW");
}

static void not_renewed(void **state)
{
	struct fixture *f = *state;

	/* while they live, they are used on */
	write_session(f, "2026-01-15T12:36:56Z", true);
	assert_true(ask(f));
	fake_http_reply(&f->http, 401, "{\"error\":\"TOKEN_EXPIRED\",\"message\":\"over\"}");
	assert_string_equal(f->got, "ASIAOLD");
	assert_int_equal(f->expires_us, T0 + 120 * SEC);
	/* then not */
	f->clock.wall_us = T0 + 120 * SEC;
	assert_true(ask(f));
	fake_http_reply(&f->http, 401, "{\"error\":\"TOKEN_EXPIRED\",\"message\":\"over\"}");
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_int_equal(f->cause, PROVIDER_CAUSE_SESSION);
	assert_non_null(strstr(f->e.msg, "CreateOAuth2Token: HTTP status 401, TOKEN_EXPIRED"));
	assert_non_null(strstr(f->e.hint, "aws login"));
	assert_true(ask(f));
	fake_http_reply(&f->http, 403, "{\"error\":\"INSUFFICIENT_PERMISSIONS\",\"message\":\"no\"}");
	assert_non_null(strstr(f->e.hint, "signin:CreateOAuth2Token"));
	assert_int_equal(f->cause, PROVIDER_CAUSE_REFUSED);
	assert_true(ask(f));
	fake_http_reply(&f->http, 200, "{}");
	assert_int_equal(f->cause, PROVIDER_CAUSE_ANSWER);
	assert_non_null(strstr(f->e.msg, "has not the form of credentials"));
	assert_true(ask(f)); /* keys that are none */
	fake_http_reply(&f->http, 200,
			"{\"accessToken\":{\"accessKeyId\":\"A\\n\",\"secretAccessKey\":\"s\",\"sessionToken\":\"t\"},"
			"\"expiresIn\":900,\"refreshToken\":\"r\"}");
	assert_int_equal(f->result, PROVIDER_FAILED);
	/* what it takes is not there */
	write_session(f, "2026-01-15T12:36:56Z", false);
	assert_false(ask(f));
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_non_null(strstr(f->e.msg, "have expired, and what renews them is not in"));
	f->clock.wall_us = T0;
	assert_false(ask(f));
	assert_string_equal(f->got, "ASIAOLD");
	/* a key that is of no use */
	f->clock.wall_us = T0 + 120 * SEC;
	EVP_PKEY_free(f->key);
	f->key = EVP_EC_gen("P-384");
	write_session(f, "2026-01-15T12:36:56Z", true);
	assert_false(ask(f));
	assert_non_null(strstr(f->e.msg, "could not be renewed: the key is no private key"));
	assert_non_null(strstr(f->e.hint, "Run: aws login"));
	/* a file of the wrong form, and none */
	write_text(f->path, "{\"accessToken\":{}}");
	assert_false(ask(f));
	assert_non_null(strstr(f->e.msg, "has not the form"));
	assert_int_equal(unlink(f->path), 0);
	assert_false(ask(f));
	assert_non_null(strstr(f->e.hint, "aws login"));
}

static void elsewhere(void **state)
{
	struct fixture *f = *state;
	struct provider_op *op;

	write_session(f, "2026-01-15T12:34:00Z", true);
	f->env[2] = "AWS_REGION=cn-north-1"; /* before the profile's, as with the CLI */
	assert_true(ask(f));
	assert_string_equal(f->http.last->url, "https://cn-north-1.signin.amazonaws.cn/v1/token");
	fake_http_reply(&f->http, 400, "{}");
	f->env[2] = "AWS_ENDPOINT_URL_SIGNIN=http://127.0.0.1:8080/x/";
	assert_true(ask(f));
	assert_string_equal(f->http.last->url, "http://127.0.0.1:8080/x/v1/token");
	fake_http_reply(&f->http, 400, "{}");
	f->env[2] = "AWS_ENDPOINT_URL=http://elsewhere";
	assert_false(ask(f));
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_non_null(strstr(f->e.msg, "not on this machine"));
	f->env[2] = "AWS_REGION=x/y";
	assert_false(ask(f));
	assert_int_equal(f->result, PROVIDER_FAILED);
	f->env[2] = NULL;
	op = provider_start(f->provider, hear, f);
	provider_cancel(op);
	op = provider_start(f->provider, hear, f);
	fake_settle(f->loop);
	provider_cancel(op);
	assert_int_equal(f->http.cancels, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proofs), cmocka_unit_test(no_proofs), cmocka_unit_test(answers),
		T(renewed), T(not_renewed), T(elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
