#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "aws/profile_file.h"
#include "base/buf.h"
#include "base/mem.h"
#include "../guard.h"

static struct profile_file *read_both(const char *config, const char *credentials)
{
	struct profile_file *f = profile_file_new();
	struct err e;

	if (config)
		assert_int_equal(profile_file_add(f, PROFILE_CONFIG, "config", slice_str(config), &e), 0);
	if (credentials)
		assert_int_equal(
			profile_file_add(f, PROFILE_CREDENTIALS, "credentials", slice_str(credentials), &e),
			0);
	return f;
}

static const char *get(const struct profile_file *f, enum profile_file_kind kind, const char *name,
		       const char *key)
{
	const struct profile_section *p = profile_file_find(f, kind, name);

	return p ? profile_file_get(p, key) : NULL;
}

/* What stands in the one file or the other, and what a key is then. */
static void values(void **state)
{
	static const struct {
		const char *config, *credentials, *profile, *key, *value; /* NULL: not there */
	} cases[] = {
		{"[default]\nregion = eu-west-1\n",                                NULL,                                   "default", "region", "eu-west-1"},
		{"[default]\nregion=eu-west-1",                                    NULL,                                   "default", "region", "eu-west-1"},
		{"[profile x]\r\nRegion\t=  eu-west-1 \t\r\n",                     NULL,                                   "x",       "region", "eu-west-1"},
		{"\xEF\xBB\xBF[default]\nregion = r\n",                            NULL,                                   "default", "region", "r"        },
		{"[profile \"a b\"]\nk = v\n",                                     NULL,                                   "a b",     "k",      "v"        },
		{"[profile 'a b']\nk = v\n",                                       NULL,                                   "a b",     "k",      "v"        },
		{"[ profile \t x ] # one\nk = v\n",                                NULL,                                   "x",       "k",      "v"        },
		{"[x]\nk = v\n",						   NULL,                                   "x",       "k",      NULL       }, /* not in the config file */
		{NULL,							     "[x]\nk = v\n",                         "x",       "k",      "v"        },
		{NULL,							     "[profile x]\nk = v\n",                 "x",       "k",      NULL       },
 /* comments */
		{NULL,							     "# k = 1\n ; k = 2\n[x]\nk = v # c\n",  "x",       "k",      "v"        },
		{NULL,							     "[x]\nk = v\t;c\n",                     "x",       "k",      "v"        },
		{NULL,							     "[x]\nk = a#b;c:=/+ \n",                "x",       "k",      "a#b;c:=/+"},
		{NULL,							     "[x]\nk = #a\n",                        "x",       "k",      NULL       },
		{NULL,							     "[x]\nk =#a\n",                         "x",       "k",      "#a"       },
 /* the later counts, and the credentials file */
		{NULL,							     "[x]\nk = 1\nK = 2\n",                  "x",       "k",      "2"        },
		{NULL,							     "[x]\nk = 1\n[y]\nk = 3\n[x]\nj = 2\n", "x",       "k",      "1"        },
		{"[profile x]\nk = 1\nj = 1\n",                                    "[x]\nk = 2\n",                         "x",       "k",      "2"        },
		{"[profile x]\nk = 1\nj = 1\n",                                    "[x]\nk = 2\n",                         "x",       "j",      "1"        },
		{"[profile x]\nk = 1\n",					   "[x]\nk =\n",                           "x",       "k",      NULL       },
 /* [profile default] and [default] */
		{"[default]\nk = 1\nj = 1\n[profile default]\nk = 2\n",            NULL,                                   "default", "k",      "2"        },
		{"[default]\nk = 1\nj = 1\n[profile default]\nk = 2\n",            NULL,                                   "default", "j",      NULL       },
		{"[profile default]\nk = 2\n[default]\nk = 1\nj = 1\n",            NULL,                                   "default", "k",      "2"        },
		{"[profile default]\nk = 2\n[default]\nk = 1\nj = 1\n",            NULL,                                   "default", "j",      NULL       },
		{"[profile default]\nk = 2\n",                                     "[default]\nk = 3\n",                   "default", "k",      "3"        },
 /* what is indented belongs to what is above */
		{"[default]\ns3 =\n  region = wrong\n\tmax = 1\nregion = right\n", NULL,                                   "default", "region",
		 "right"																   },
		{"[default]\ns3 =\n  max = 1\n",                                   NULL,                                   "default", "s3.max", "1"        },
		{"[default]\nk = a\n  region = wrong\n",                           NULL,                                   "default", "region", NULL       },
		{"[default]\nk = a\n  more # c\n\n\tand more\nj = b\n",            NULL,                                   "default", "k",      "a\nmore\nand more"},
		{"[default]\nk = a\n  more\nj = b\n",                              NULL,                                   "default", "j",      "b"        },
		{"[default]\nk = a\n  [x]\nj = b\n",                               NULL,                                   "default", "j",      "b"        },
 /* as much as what is above: the next */
		{"[default]\n  k = a\n  j = b\n",                                  NULL,                                   "default", "j",      "b"        },
		{"[default]\n  k = a\nj = b\n",                                    NULL,                                   "default", "j",      "b"        },
		{"[default]\n  s3 =\n    max = 1\n  j = b\n",                      NULL,                                   "default", "s3.max", "1"        },
		{"[default]\n  s3 =\n    max = 1\n  j = b\n",                      NULL,                                   "default", "j",      "b"        },
		{"  [default]\n  j = b\n",                                         NULL,                                   "default", "j",      "b"        },
		{"[others]\n  k = a\n    [default]\n  l = a\n[default]\nj = b\n",  NULL,                                   "default", "j",      "b"        },
		{"[profile x]\nk = a\n[default]\nnonsense\n  more\n",             NULL,                                   "x",       "k",      "a"        },
		{"[default]\ns3 =\n\n  # c\n  max = 1\n",                          NULL,                                   "default", "s3.max", "1"        },
 /* sections of others are passed over */
		{"[plugins]\nk = 1\nnonsense\n[default]\nk = 2\n",                 NULL,                                   "default", "k",      "2"        },
 /* names to the letter */
		{NULL,							     "[X]\nk = 1\n",                         "x",       "k",      NULL       },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct profile_file *f = read_both(cases[i].config, cases[i].credentials);
		const char *v = get(f, PROFILE_PROFILE, cases[i].profile, cases[i].key);

		if (!!v != !!cases[i].value || (v && strcmp(v, cases[i].value) != 0))
			fail_msg("case %zu: %s, not %s", i, v ? v : "nothing",
				 cases[i].value ? cases[i].value : "nothing");
		assert_string_equal(profile_file_stray(f), "");
		profile_file_free(f);
	}
}

static void other_sections(void **state)
{
	struct profile_file *f = read_both("[sso-session corp]\nsso_region = us-east-1\n"
					   "[services local]\nsts =\n  endpoint_url = http://127.0.0.1:1\n"
					   "[profile corp]\nservices = local\n",
					   "[sso-session corp]\nsso_region = no\n");

	(void)state;
	assert_string_equal(get(f, PROFILE_SSO_SESSION, "corp", "sso_region"), "us-east-1");
	assert_string_equal(get(f, PROFILE_SERVICES, "local", "sts.endpoint_url"), "http://127.0.0.1:1");
	assert_string_equal(get(f, PROFILE_PROFILE, "corp", "services"), "local");
	assert_null(profile_file_find(f, PROFILE_PROFILE, "local"));
	assert_string_equal(profile_file_name(profile_file_find(f, PROFILE_SERVICES, "local")), "local");
	profile_file_free(f);
}

/* A value of many lines has an end; one of many bytes in a line has not. */
static void long_values(void **state)
{
	struct profile_file *f;
	struct buf text;
	struct err e;

	(void)state;
	buf_init(&text, 200000);
	buf_printf(&text, "[x]\nlong = %0*d\n[y]\nk = v\n", 50000, 1);
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "  %010d\n", i);
	f = read_both(NULL, buf_cstr(&text));
	assert_int_equal(strlen(get(f, PROFILE_PROFILE, "x", "long")), 50000);
	assert_int_equal(profile_file_check(profile_file_find(f, PROFILE_PROFILE, "y"), &e), -1);
	assert_non_null(strstr(e.msg, "several lines"));
	profile_file_free(f);
	buf_free(&text);
}

/* A section with something wrong says so when it is asked for; the others work. */
static void wrong_sections(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *what;
	} cases[] = {
		{"[x]\nnonsense\nsecret = sesame\n", 2, "neither"             },
		{"[x]\n= sesame\n",                  2, "no name before the ="},
		{"[x]\n\nk = ses\x01"
		 "ame\n",           3, "control character"   },
		{"[x]\nk =\n  sesame\n",             3, "neither"             },
		{"[x]\nk: sesame\n",                2, "neither"             }, /* configparser has it; the guide not */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = mem_printf("%s[ok]\nk = v\n", cases[i].text), line[32];
		struct profile_file *f = read_both(NULL, text);
		struct err e;

		assert_int_equal(profile_file_check(profile_file_find(f, PROFILE_PROFILE, "x"), &e), -1);
		snprintf(line, sizeof(line), "credentials, line %u ", cases[i].line);
		assert_non_null(strstr(e.msg, line));
		assert_non_null(strstr(e.msg, cases[i].what));
		assert_null(strstr(e.msg, "sesame"));
		assert_int_equal(e.code, ERR_CREDENTIALS);
		assert_int_equal(profile_file_check(profile_file_find(f, PROFILE_PROFILE, "ok"), &e), 0);
		assert_string_equal(get(f, PROFILE_PROFILE, "ok", "k"), "v");
		profile_file_free(f);
		free(text);
	}
}

/* Whoever misses a section learns what was passed over. */
static void strays(void **state)
{
	static const struct {
		const char *text, *stray;
	} cases[] = {
		{"k = v\n[x]\nk = v\n", "credentials, line 1: a setting stands before the first section" },
		{"[x\nk = v\n",         "credentials, line 1: a section's name has no ]"                 },
		{"[y]\n[x] y\nk = v\n", "credentials, line 2: there is something behind a section's name"},
		{"[]\nk = v\n",         "credentials, line 1: a section has no name"                     },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct profile_file *f = read_both(NULL, cases[i].text);

		assert_string_equal(profile_file_stray(f), cases[i].stray);
		profile_file_free(f);
	}
}

static void limits(void **state)
{
	size_t n = PROFILE_FILE_MAX + 1;
	char *big = mem_alloc(n);
	struct profile_file *f = profile_file_new();
	struct buf many;
	struct err e;

	(void)state;
	buf_init(&many, PROFILE_FILE_MAX);
	memset(big, 'a', n);
	memcpy(big, "[x]\nk=", 6);
	assert_int_equal(profile_file_add(f, PROFILE_CREDENTIALS, "c", slice_of(big, n), &e), -1);
	assert_int_equal(profile_file_add(f, PROFILE_CREDENTIALS, "c", slice_of(big, n - 1), &e), 0);
	assert_int_equal(strlen(get(f, PROFILE_PROFILE, "x", "k")), n - 1 - 6); /* a value may be long */
	for (unsigned i = 0; i <= PROFILE_SECTIONS_MAX; i++)
		buf_printf(&many, "[s%u]\n", i);
	assert_int_equal(profile_file_add(f, PROFILE_CREDENTIALS, "c", buf_slice(&many), &e), -1);
	assert_non_null(strstr(e.msg, "sections"));
	profile_file_free(f);

	f = profile_file_new();
	buf_clear(&many);
	buf_add_str(&many, "[x]\n");
	for (unsigned i = 0; i <= PROFILE_SETTINGS_MAX; i++)
		buf_printf(&many, "k%u = v\n", i);
	assert_int_equal(profile_file_add(f, PROFILE_CREDENTIALS, "c", buf_slice(&many), &e), 0);
	assert_int_equal(profile_file_check(profile_file_find(f, PROFILE_PROFILE, "x"), &e), -1);
	assert_non_null(strstr(e.msg, "too many settings"));
	assert_string_equal(get(f, PROFILE_PROFILE, "x", "k255"), "v");
	assert_null(get(f, PROFILE_PROFILE, "x", "k256"));
	profile_file_free(f);
	buf_free(&many);
	free(big);
}

/* At every length: nothing is read past the end. */
static void truncated(void **state)
{
	static const char text[] =
		"[profile \"a b\"] ; c\r\nk = v # c\ns3 =\n  max = 1\n[sso-session x]\nk = v\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		void *copy = guard_copy(text, n);
		struct profile_file *f = profile_file_new();
		struct err e;

		assert_int_equal(profile_file_add(f, PROFILE_CONFIG, "c", slice_of(copy, n), &e), 0);
		profile_file_free(f);
		guard_free(copy, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values), cmocka_unit_test(other_sections), cmocka_unit_test(long_values),
		cmocka_unit_test(wrong_sections),
		cmocka_unit_test(strays), cmocka_unit_test(limits),         cmocka_unit_test(truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
