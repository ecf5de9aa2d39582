#include "pg_test.h"
#include "pg/startup_options.h"

/* out: "name=value;" of each setting; NULL: refused. */
static void settings(void **state)
{
	static const struct {
		const char *options, *out;
	} cases[] = {
		{"",				    ""			 },
		{" \t\n\v\f\r ",                        ""                         },
		{"-c a=1",			      "a=1;"                     },
		{"-ca=1",			       "a=1;"                     },
		{"--a=1",			       "a=1;"                     },
		{"  -c\t geqo=off  --search-path=x,y ", "geqo=off;search_path=x,y;"},
		{"-c my-app.some-name=a-b",             "my_app.some_name=a-b;"    },
		{"-c a=",			       "a=;"                      },
		{"-c a==",			      "a==;"                     },
		{"-c a=1 -c A=2",                       "a=2;"                     },
		{"-c statement_timeout=5\\ min",        "statement_timeout=5 min;" },
		{"-c a=b\\\\c",                         "a=b\\c;"                  },
		{"-c a=b\\",                            "a=b;"                     },
		{"-c a=\\",			     "a=;"                      },
		{"-\\c a=1",                            "a=1;"                     },
		{"-c \xc3\xa9t\xc3\xa9=1",              "\xc3\xa9t\xc3\xa9=1;"     },
		{"-c a$1.b2=\xff",                      "a$1.b2=\xff;"             },
		{"-c --a=1",                            "__a=1;"                   },
 /* pitfall 74 and its like */
		{"-c",				  NULL                       },
		{"-c ",				 NULL                       },
		{"-c=",				 NULL                       },
		{"-c =x",			       NULL                       },
		{"-c a",				NULL                       },
		{"--",				  NULL                       },
		{"--=x",				NULL                       },
		{"--a",				 NULL                       },
		{"-",				   NULL                       },
		{"\\",				  NULL                       },
		{"-c \\",			       NULL                       },
		{"a=1",				 NULL                       },
		{"-e",				  NULL                       },
		{"-S 64",			       NULL                       },
		{"-C data_directory",                   NULL                       },
		{"-c a=1 rest",                         NULL                       },
		{"-c a=1 -c b",                         NULL                       },
 /* names that are none */
		{"-c 1a=1",			     NULL                       },
		{"-c $a=1",			     NULL                       },
		{"-c .a=1",			     NULL                       },
		{"-c a.=1",			     NULL                       },
		{"-c a..b=1",                           NULL                       },
		{"-c a.1=1",                            NULL                       },
		{"-c a\\ b=1",                          NULL                       },
		{"-c a;b=1",                            NULL                       },
		{"-c a'b=1",                            NULL                       },
 /* names with a meaning of their own in the startup packet */
		{"-c user=rdsadmin",                    NULL                       },
		{"--database=other",                    NULL                       },
		{"-c replication=true",                 NULL                       },
		{"-c options=-ca=1",                    NULL                       },
		{"-c _pq_.x=1",                         NULL                       },
		{"-c _PQ_.x=1",                         NULL                       },
		{"-c User=x",                           NULL                       },
		{"--optIons=x",                         NULL                       },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = strlen(cases[i].options) + 1;
		char *copy = guard_copy(cases[i].options, n);
		struct err e = {0};
		struct params p;
		struct buf got;

		params_init(&p);
		buf_init(&got, 1000);
		assert_int_equal(startup_options_parse(copy, &p, &e), cases[i].out ? 0 : -1);
		for (size_t k = 0; k < p.n; k++)
			buf_printf(&got, "%s=%s;", p.v[k].name, p.v[k].value);
		assert_string_equal(buf_cstr(&got), cases[i].out ? cases[i].out : "");
		if (!cases[i].out) {
			assert_int_equal(e.code, ERR_STARTUP_PARAM);
			assert_string_equal(e.sqlstate, "0A000");
			assert_non_null(strstr(e.msg, "\"options\""));
		}
		buf_free(&got);
		params_free(&p);
		guard_free(copy, n);
	}
}

/* Cut anywhere it ends, and what came before is not half taken. */
static void every_cut(void **state)
{
	static const char text[] = "-c a=b\\ c --d-e=f\\\\ -cg=h -c i=";
	struct params p;
	char cut[sizeof(text)];

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		memcpy(cut, text, n);
		cut[n] = '\0';
		params_init(&p);
		if (startup_options_parse(cut, &p, NULL) != 0)
			assert_int_equal(p.n, 0);
		params_free(&p);
	}
}

static void adds_to_what_is_there(void **state)
{
	struct params p;
	struct err e;

	(void)state;
	params_init(&p);
	params_set(&p, slice_str("a"), slice_str("1"));
	assert_int_equal(startup_options_parse("-c b=2 -c A=3", &p, &e), 0);
	assert_int_equal(p.n, 2);
	assert_string_equal(params_get(&p, "a"), "3");
	assert_int_equal(startup_options_parse("-c a=4 -x", &p, &e), -1);
	assert_string_equal(params_get(&p, "a"), "3");
	params_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(adds_to_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
