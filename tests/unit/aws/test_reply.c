/* JSON, XML, and what is read out of them. */
#include "fake.h"
#include <stdio.h>
#include "../guard.h"
#include "aws/json.h"
#include "aws/reply.h"
#include "aws/sts_reply.h"
#include "aws/xml.h"

static void json(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"1",
		"null",
		"{",
		"{}x",
		"{\"a\":\"\\u0000\"}",
		"{\"a\":\"b\\\\\\u0000\"}",
		"{'}",
		"{]}",
		"{\"a\":1e}",
		"{\"a\":tru}",
	};
	struct json *j =
		json_parse(slice_str(" {\"a\":\"b\",\"A\":2.5,\"o\":{\"p\":\"\\\\u0000\"},\"n\":null} \r\n"));
	double d;

	(void)state;
	assert_non_null(j);
	assert_true(slice_eq_str(json_string(j, "a"), "b"));
	assert_true(slice_eq_str(json_string(j, "o/p"), "\\u0000")); /* an escaped backslash, no NUL */
	assert_int_equal(json_string(j, "A").n, 0);
	assert_int_equal(json_string(j, "a/b").n, 0);
	assert_int_equal(json_string(j, "x/y/z").n, 0);
	assert_true(json_number(j, "A", &d));
	assert_true(d > 2.4 && d < 2.6);
	assert_false(json_number(j, "a", &d));
	json_free(j);
	json_free(NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (json_parse(slice_str(bad[i])))
			fail_msg("%s was taken", bad[i]);
	}
	assert_null(json_parse(slice_of("{}\0", 3)));
	{
		char deep[20001];

		memset(deep, '[', 10000);
		memcpy(deep, "{\"a\":", 5);
		assert_null(json_parse(slice_of(deep, 10000)));
	}
}

static void json_times(void **state)
{
	static const struct {
		const char *text;
		enum json_unit unit;
		int rc;
		int64_t us;
	} cases[] = {
		{"{\"t\":\"2026-01-15T12:34:56Z\"}", JSON_SEC, 0,  T0},
		{"{\"t\":1768480496}",               JSON_SEC, 0,  T0},
		{"{\"t\":1.768480496E9}",            JSON_SEC, 0,  T0},
		{"{\"t\":1768480496000}",            JSON_MS,  0,  T0},
		{"{\"t\":null}",                     JSON_SEC, 1,  0 },
		{"{}",			       JSON_SEC, 1,  0 },
		{"{\"t\":true}",                     JSON_SEC, -1, 0 },
		{"{\"t\":-1}",                       JSON_SEC, -1, 0 },
		{"{\"t\":1e300}",                    JSON_SEC, -1, 0 },
		{"{\"t\":1768480496000}",            JSON_SEC, -1, 0 },
		{"{\"t\":\"tomorrow\"}",             JSON_SEC, -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json *j = json_parse(slice_str(cases[i].text));
		int64_t us = 0;

		assert_non_null(j);
		assert_int_equal(json_time(j, "t", cases[i].unit, &us), cases[i].rc);
		assert_true(us == cases[i].us);
		json_free(j);
	}
}

static void xml(void **state)
{
	static const struct {
		const char *text, *path;
		int rc;
		const char *value;
	} cases[] = {
		{"<a>b</a>",							  "a",   0,  "b"  },
		{"<?xml version='1.0'?><!-- > --><a x='>' y=\"/>\"><b/><c>d</c></a>", "a/c", 0,  "d"  },
		{"<a><b><c>no</c></b><c>yes</c></a>",                                 "a/c", 0,  "yes"},
		{"<a><c><c>no</c></c></a>",                                           "a/c", -1, NULL },
		{"<x><a><c>no</c></a></x>",                                           "a/c", 1,  NULL },
		{"<a><c>1</c><c>2</c></a>",                                           "a/c", 0,  "1"  },
		{"<n:a xmlns:n='u'><n:c>1</n:c></n:a>",                               "a/c", 0,  "1"  },
		{"<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x20AC;&#x1F600;</a>",            "a",   0,
		 "<>&\"'A\xE2\x82\xAC\xF0\x9F\x98\x80"                                                },
		{"<a/>",							      "a",   0,  ""   },
		{"<a></a>",							   "b",   1,  NULL },
		{"",								  "a",   1,  NULL },
		{"<a>&nbsp;</a>",						     "a",   -1, NULL },
		{"<a>&#0;</a>",						       "a",   -1, NULL },
		{"<a>&#xD800;</a>",						   "a",   -1, NULL },
		{"<a>&#x110000;</a>",						 "a",   -1, NULL },
		{"<a>&#;</a>",							"a",   -1, NULL },
		{"<a>&#x;</a>",						       "a",   -1, NULL },
		{"<a>&#999999999;</a>",					       "a",   -1, NULL },
		{"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",                          "a",   -1, NULL },
		{"<a><![CDATA[b]]></a>",					      "a",   -1, NULL },
		{"<a>b</c>",							  "a",   -1, NULL },
		{"</a>",							      "a",   -1, NULL },
		{"<a<b>x</b></a>",						    "a/b", -1, NULL },
		{"< >",							       "a",   -1, NULL },
		{"<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>",               "b",   -1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b;
		int rc;

		buf_init(&b, 100);
		rc = xml_text(slice_str(cases[i].text), cases[i].path, &b);
		if (rc != cases[i].rc)
			fail_msg("%s: %d", cases[i].text, rc);
		if (rc == 0)
			assert_string_equal(buf_cstr(&b), cases[i].value);
		buf_free(&b);
	}
	{
		struct buf b;

		buf_init(&b, 3);
		assert_int_equal(xml_text(slice_str("<a>four</a>"), "a", &b), -1);
		buf_free(&b);
	}
}

#define CREDS_JSON                                                                                           \
	"{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{\"Credentials\":{\"AccessKeyId\":\"ASIAX\","         \
	"\"SecretAccessKey\":\"topsecret\",\"SessionToken\":\"tok+/=\",\"Expiration\":%s}}}}"
#define CREDS_XML                                                                                            \
	"<AssumeRoleResponse "                                                                               \
	"xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><AssumedRoleUser>"            \
	"<Arn>arn</Arn></AssumedRoleUser>\n<Credentials><AccessKeyId>ASIAX</"                                \
	"AccessKeyId><SecretAccessKey>topsecret"                                                             \
	"</SecretAccessKey><SessionToken>tok+/=</SessionToken><Expiration>%s</Expiration></Credentials>"     \
	"</AssumeRoleResult></AssumeRoleResponse>"

static void sts_credentials(void **state)
{
	static const struct {
		const char *format, *expiration;
		bool good;
	} cases[] = {
		{CREDS_JSON, "1768480496",               true },
		{CREDS_JSON, "1.768480496E9",            true },
		{CREDS_JSON, "\"2026-01-15T12:34:56Z\"", true },
		{CREDS_XML,  "2026-01-15T12:34:56Z",     true },
		{CREDS_JSON, "null",                     false},
		{CREDS_JSON, "\"soon\"",                 false},
		{CREDS_XML,  "soon",                     false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024];
		struct err e;
		struct credentials *c;
		size_t n = (size_t)snprintf(text, sizeof(text), cases[i].format, cases[i].expiration);

		c = sts_reply_credentials(STS_ASSUME_ROLE, slice_of(text, n), "p", &e);
		assert_int_equal(c != NULL, cases[i].good);
		if (!c) {
			assert_non_null(strstr(e.msg, "expiration"));
			continue;
		}
		assert_string_equal(c->access_key, "ASIAX");
		assert_true(slice_eq_str(secret_slice(&c->secret_key), "topsecret"));
		assert_true(slice_eq_str(secret_slice(&c->session_token), "tok+/="));
		assert_true(c->expires_wall_us == T0);
		assert_true(c->renewable);
		credentials_unref(c);
		/* the answer to another question */
		assert_null(sts_reply_credentials(STS_WEB_IDENTITY, slice_of(text, n), "p", &e));
		assert_null(strstr(e.msg, "topsecret"));
		/* cut short anywhere */
		for (size_t cut = 0; cut + 80 < n; cut++) {
			unsigned char *g = guard_copy(text, cut);

			c = sts_reply_credentials(STS_ASSUME_ROLE, slice_of(g, cut), "p", &e);
			assert_null(c);
			guard_free(g, cut);
		}
	}
}

static void sts_identity(void **state)
{
	static const char *const good[] = {
		"{\"GetCallerIdentityResponse\":{\"GetCallerIdentityResult\":{\"Arn\":\"arn:aws:sts::1:x\","
		"\"Account\":\"1\"}}}",
		"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::1:x</Arn><UserId>u</"
		"UserId>"
		"<Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
	};
	struct sts_identity id;
	struct err e;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(sts_reply_identity(slice_str(good[i]), NULL, &id, &e), 0);
		assert_string_equal(id.arn, "arn:aws:sts::1:x");
		assert_string_equal(id.account, "1");
	}
	assert_int_equal(sts_reply_identity(slice_str("{}"), NULL, &id, &e), -1);
	assert_int_equal(sts_reply_identity(slice_str("<html>"), NULL, &id, &e), -1);
}

static void errors(void **state)
{
	static const struct {
		const char *body, *header, *code, *message;
	} cases[] = {
		{"{\"__type\":\"com.amazon#AccessDeniedException\",\"Message\":\"no\"}",              "",
		 "AccessDeniedException",														     "no"									  },
		{"{\"message\":\"no\"}",							      "ThrottlingException:http://x/", "ThrottlingException", "no"                                                                          },
		{"{\"Error\":{\"Code\":\"ExpiredToken\",\"Message\":\"a\\nb\",\"Type\":\"Sender\"}}", "",
		 "ExpiredToken",															      "a\\nb"								       },
		{"{\"code\":\"X\",\"message\":\"m\"}",                                                "",                              "X",                   "m"									   },
		{"{\"error\":\"invalid_grant\",\"error_description\":\"d\"}",                         "",                              "invalid_grant",       "d"                                                                           },
		{"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not "
		 "&lt;you&gt;</Message>"
		 "</Error></ErrorResponse>",										    "",											   "AccessDenied",                           "Not <you>"},
		{"<html><body>502 Bad Gateway</body></html>",										   "",									"",         ""             },
		{"busy",										   "",													     "",					      ""},
		{"",										   "",														 "",						  ""             },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reply_error out;

		reply_error_read(slice_str(cases[i].body), slice_str(cases[i].header), NULL, &out);
		assert_string_equal(out.code, cases[i].code);
		assert_string_equal(out.message, cases[i].message);
	}
}

static void forms(void **state)
{
	static const struct {
		enum reply_form form;
		const char *body, *msg; /* msg: NULL: credentials of key A that end at T0 */
	} cases[] = {
		{REPLY_INSTANCE,
	         "{'AccessKeyId':'A','SecretAccessKey':'s','Token':'t','Expiration':'2026-01-15T12:34:56Z'}", NULL},
		{REPLY_INSTANCE, "{'AccessKeyId':'A','SecretAccessKey':'s','Token':'t'}",
	         "p: the answer's expiration is missing"},
		{REPLY_INSTANCE, "{'AccessKeyId':'A','SecretAccessKey':'s','Token':'t','Expiration':'soon'}",
	         "p: the answer's expiration is no date"},
		/* a database would say no more than that it is refused */
		{REPLY_INSTANCE, "{'AccessKeyId':'A','SecretAccessKey':'s','Expiration':'2026-01-15T12:34:56Z'}",
	         "p: the answer's session token is missing"},
		{REPLY_INSTANCE, "{'AccessKeyId':'A','Token':'t','Expiration':1}", ""},
		{REPLY_INSTANCE, "[", "p: the answer is no JSON"},
		{REPLY_PORTAL,
	         "{'roleCredentials':{'accessKeyId':'A','secretAccessKey':'s','sessionToken':'t','expiration':1768480496000}}",
	         NULL},
		{REPLY_PORTAL,
	         "{'roleCredentials':{'accessKeyId':'A','secretAccessKey':'s','sessionToken':'t','expiration':'x'}}",
	         "p: the answer's expiration is no date"},
		{REPLY_PORTAL, "{'roleCredentials':{'accessKeyId':'A','secretAccessKey':'s','expiration':1768480496000}}",
	         "p: the answer's session token is missing"},
		{REPLY_PORTAL, "{'AccessKeyId':'A','SecretAccessKey':'s','Token':'t','Expiration':1}",
	         "p: the answer's expiration is missing"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256];
		struct credentials *c;
		struct json *j;
		struct err e = {0};

		snprintf(text, sizeof(text), "%s", cases[i].body);
		for (char *q = text; *q; q++)
			*q = *q == '\'' ? '"' : *q;
		j = json_parse(slice_str(text));
		c = reply_credentials(j, cases[i].form, "p", &e);
		assert_int_equal(c == NULL, cases[i].msg != NULL);
		if (c) {
			assert_string_equal(c->access_key, "A");
			assert_true(c->expires_wall_us == T0);
		} else {
			assert_int_equal(e.code, ERR_CREDENTIALS);
			if (cases[i].msg[0])
				assert_string_equal(e.msg, cases[i].msg);
		}
		credentials_unref(c);
		json_free(j);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json),         cmocka_unit_test(json_times),
		cmocka_unit_test(xml),          cmocka_unit_test(sts_credentials),
		cmocka_unit_test(sts_identity), cmocka_unit_test(errors),
		cmocka_unit_test(forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
