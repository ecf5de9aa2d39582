#include "vectors.h"
#include "aws/sigv4.h"
#include "base/enc.h"

static void hex_equal(const unsigned char *bytes, size_t n, const char *expected)
{
	struct buf b;

	buf_init(&b, 1000);
	assert_int_equal(enc_hex(&b, slice_of(bytes, n)), 0);
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
}

static void percent_encoded(const cJSON *item)
{
	struct buf b;

	buf_init(&b, 1000);
	assert_int_equal(enc_percent(&b, slice_str(vectors_str(item, "input"))), 0);
	assert_string_equal(buf_cstr(&b), vectors_str(item, "expected"));
	buf_free(&b);
}

static void percent_encode(void **state)
{
	(void)state;
	vectors_each("components", "percent_encode", 20, percent_encoded);
}

static void key_derived(const cJSON *item)
{
	unsigned char key[DIGEST_SHA256_BYTES];

	sigv4_signing_key(slice_str(vectors_str(item, "secret")), vectors_str(item, "date"),
			  vectors_str(item, "region"), vectors_str(item, "service"), key);
	hex_equal(key, sizeof(key), vectors_str(item, "expected_hex"));
}

static void signing_key(void **state)
{
	(void)state;
	vectors_each("components", "signing_key", 5, key_derived);
}

/* Signs as a caller would: without the two headers that the signer adds, and in an order that is not the
 * sorted one. */
static void check_signed_request(const cJSON *item)
{
	struct sigv4_pair headers[SIGV4_PAIRS_MAX];
	struct credentials *creds = vectors_credentials(item);
	struct sigv4_signer signer = {creds, vectors_str(item, "signing_region"),
				      vectors_str(item, "signing_service"), vectors_time(item)};
	struct sigv4_request rq = {
		.method = vectors_str(item, "method"),
		.path = vectors_str(item, "path"),
		.query = vectors_str(item, "query"),
		.headers = headers,
		.body = slice_str(vectors_str(item, "body")),
	};
	const cJSON *h, *list = cJSON_GetObjectItem(item, "signed_headers");
	char date[DATE_AMZ_SIZE];
	struct buf out;

	cJSON_ArrayForEach(h, list)
	{
		if (strcmp(h->string, "x-amz-date") == 0 || strcmp(h->string, "x-amz-security-token") == 0)
			continue;
		memmove(headers + 1, headers, rq.header_count * sizeof(headers[0]));
		headers[0] = (struct sigv4_pair){slice_str(h->string), slice_str(h->valuestring)};
		rq.header_count++;
	}
	buf_init(&out, 4096);
	assert_int_equal(sigv4_authorization(&signer, &rq, date, &out, NULL), 0);
	assert_string_equal(buf_cstr(&out), vectors_str(item, "expected_authorization"));
	assert_string_equal(date, vectors_str(list, "x-amz-date"));
	buf_free(&out);
	credentials_unref(creds);
}

static void signed_requests(void **state)
{
	(void)state;
	vectors_each("signed_requests", NULL, 12, check_signed_request);
}

/* Blanks around and inside a value do not change the signature; other differences do. */
static void header_blanks(void **state)
{
	struct credentials *creds = vectors_keys("AKIDEXAMPLE", "secret", NULL);
	struct sigv4_signer signer = {creds, "us-east-1", "sts", 0};
	const char *values[] = {"a b", "  a \t b ", "a  b", "ab"};
	char *text[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct sigv4_pair headers[] = {
			{slice_str("host"), slice_str("h")      },
                        {slice_str("x"),    slice_str(values[i])}
                };
		struct sigv4_request rq = {"POST", "/", "", headers, 2, slice_str("")};
		char date[DATE_AMZ_SIZE];
		struct buf out;

		buf_init(&out, 4096);
		assert_int_equal(sigv4_authorization(&signer, &rq, date, &out, NULL), 0);
		text[i] = mem_strdup(buf_cstr(&out));
		buf_free(&out);
	}
	assert_string_equal(text[0], text[1]);
	assert_string_equal(text[0], text[2]);
	assert_string_not_equal(text[0], text[3]);
	for (int i = 0; i < 4; i++)
		free(text[i]);
	credentials_unref(creds);
}

/* AWS's own example of a presigned request is for S3, which hashes differently; so the order of parameters is
 * checked by its property: it does not matter in which order they are given, only by name, then value. */
static void query_order(void **state)
{
	struct credentials *creds = vectors_keys("AKIDEXAMPLE", "secret", NULL);
	struct sigv4_signer signer = {creds, "us-east-1", "rds-db", 0};
	struct sigv4_pair p[] = {
		{slice_str("a"),   slice_str("2") },
		{slice_str("a-b"), slice_str("1") },
		{slice_str("a"),   slice_str("1") },
		{slice_str("a"),   slice_str("11")},
		{slice_str("Z"),   slice_str("%") }
        };
	struct sigv4_presign presign = {.host = "h", .expires_sec = 900, .pairs = p, .pair_count = 5};
	char first[65] = "";

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct sigv4_pair t = p[0];
		struct buf out;
		const char *sig;

		buf_init(&out, 4096);
		assert_int_equal(sigv4_presign(&signer, &presign, &out, NULL), 0);
		sig = strstr(buf_cstr(&out), "&X-Amz-Signature=");
		assert_non_null(sig);
		assert_int_equal(strlen(sig), 17 + 64);
		if (i == 0)
			memcpy(first, sig + 17, 65);
		assert_string_equal(sig + 17, first);
		buf_free(&out);
		memmove(p, p + 1, 4 * sizeof(p[0]));
		p[4] = t;
	}
	credentials_unref(creds);
}

static void limits(void **state)
{
	struct credentials *creds = vectors_keys("AKIDEXAMPLE", "secret", NULL);
	struct sigv4_signer signer = {creds, "us-east-1", "rds-db", 0};
	struct sigv4_pair p[SIGV4_PAIRS_MAX + 1] = {
		{slice_str("a"), slice_str("b")}
        };
	struct sigv4_presign presign = {
		.host = "h", .expires_sec = 900, .pairs = p, .pair_count = SIGV4_PAIRS_MAX + 1};
	struct sigv4_request rq = {"POST", "/", "", p, SIGV4_PAIRS_MAX + 1, slice_str("")};
	char date[DATE_AMZ_SIZE];
	struct err e;
	struct buf out;

	(void)state;
	for (size_t i = 0; i <= SIGV4_PAIRS_MAX; i++)
		p[i] = p[0];
	buf_init(&out, 100000);
	assert_int_equal(sigv4_presign(&signer, &presign, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(sigv4_authorization(&signer, &rq, date, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	presign.pair_count = rq.header_count = SIGV4_PAIRS_MAX;
	assert_int_equal(sigv4_presign(&signer, &presign, &out, &e), 0);
	assert_int_equal(sigv4_authorization(&signer, &rq, date, &out, &e), 0);
	/* a service name that no scope can hold */
	signer.service = memset(mem_zalloc(1001), 'x', 1000);
	assert_int_equal(sigv4_presign(&signer, &presign, &out, &e), -1);
	assert_int_equal(sigv4_authorization(&signer, &rq, date, &out, &e), -1);
	mem_free_str_wipe((char *)(uintptr_t)signer.service);
	signer.service = "rds-db";
	buf_free(&out);
	/* every size of buffer that is too small */
	for (size_t max = 0; max < 200; max++) {
		buf_init(&out, max);
		assert_int_equal(sigv4_presign(&signer, &presign, &out, &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
		buf_free(&out);
		buf_init(&out, max);
		assert_int_equal(sigv4_authorization(&signer, &rq, date, &out, &e), -1);
		buf_free(&out);
	}
	credentials_unref(creds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percent_encode),  cmocka_unit_test(signing_key),
		cmocka_unit_test(signed_requests), cmocka_unit_test(header_blanks),
		cmocka_unit_test(query_order),     cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
