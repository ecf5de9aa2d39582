#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "aws/profile_plan.h"
#include "base/buf.h"
#include "base/mem.h"

#define KEYS   "aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = sesame\n"
#define ROLE_A "role_arn = arn:a\n"
#define SSO    "sso_account_id = 1\nsso_role_name = r\n"

static struct profile_file *config(const char *text)
{
	struct profile_file *f = profile_file_new();
	struct err e;

	assert_int_equal(profile_file_add(f, PROFILE_CONFIG, "config", slice_str(text), &e), 0);
	return f;
}

static const char *const bases[] = {
#define X(base, name) [base] = (name),
	PROFILE_PLAN_TABLE(X)
#undef X
};

/* The plan for profile x, in a line: its base, in which profile, and the roles. */
static void plan_text(const struct profile_file *f, bool named, struct buf *out)
{
	struct profile_plan plan;
	struct err e;
	enum profile_plan_result rc = profile_plan_make(f, "x", named, &plan, &e);

	if (rc != PROFILE_PLAN_MADE) {
		assert_int_equal(e.code, ERR_CREDENTIALS);
		assert_null(strstr(e.msg, "sesame"));
		buf_printf(out, "%s: %s", rc == PROFILE_PLAN_NONE ? "none" : "wrong", e.msg);
		return;
	}
	buf_printf(out, "%s of %s", bases[plan.base], profile_file_name(plan.profile));
	if (plan.session)
		buf_printf(out, " (session %s)", profile_file_name(plan.session));
	for (size_t i = 0; i < plan.role_count; i++) {
		const struct profile_plan_role *r = &plan.roles[i];

		buf_printf(out, " > %s", r->role_arn);
		if (r->external_id || r->session_name || r->duration_sec || r->region || r->sts_endpoint)
			buf_printf(out, " [%s %s %u %s %s]", r->external_id ? r->external_id : "-",
				   r->session_name ? r->session_name : "-", r->duration_sec,
				   r->region ? r->region : "-", r->sts_endpoint ? r->sts_endpoint : "-");
	}
}

static const struct {
	const char *text, *plan; /* of a plan that is not made: how it begins */
} cases[] = {
  /* credentials of its own */
	{"[profile x]\n" KEYS,										"keys of x"						},
	{"[profile x]\ncredential_process = p\n",							     "credential_process of x"                                  },
	{"[profile x]\nlogin_session = arn\n",								"aws login of x"                                           },
	{"[profile x]\ncredential_process = p\n" KEYS,							"keys of x"                                                },
	{"[profile x]\naws_access_key_id = a\n",
	 "wrong: profile \"x\": aws_access_key_id is set, but aws_secret_access_key is not"                                                                              },
	{"[profile x]\naws_secret_access_key = sesame\n",
	 "wrong: profile \"x\": aws_secret_access_key is set, but aws_access_key_id is not"                                                                              },
	{"[profile x]\nregion = r\n",									 "none: profile \"x\" has no credentials"                   },
	{"[profile y]\n" KEYS,										"none: there is no profile \"x\""                          },
	{"[profile x]\nnonsense\n" KEYS,								      "wrong: config, line 2"                                    },
 /* IAM Identity Center */
	{"[profile x]\nsso_session = s\n" SSO "[sso-session s]\nsso_start_url = u\nsso_region = r\n",
	 "IAM Identity Center of x (session s)"															  },
	{"[profile x]\nsso_start_url = u\nsso_region = r\n" SSO,                                              "IAM Identity Center of x"                                 },
	{"[profile x]\nsso_session = s\nsso_region = r\n" SSO
	 "[sso-session s]\nsso_start_url = u\nsso_region = r\n",				     "IAM Identity Center of x (session s)"                     },
	{"[profile x]\nsso_session = s\nsso_region = q\n" SSO
	 "[sso-session s]\nsso_start_url = u\nsso_region = r\n",				     "wrong: profile \"x\": sso_start_url or sso_region differs"},
	{"[profile x]\nsso_session = s\n" SSO,								"wrong: profile \"x\": there is no [sso-session]"          },
	{"[profile x]\nsso_session = s\n" SSO "[sso-session s]\nnonsense\n",                                  "wrong: config, line 6"                                    },
	{"[profile x]\nsso_session = s\n" SSO "[sso-session s]\nsso_region = r\n",
	 "wrong: profile \"x\": IAM Identity Center needs sso_start_url"												 },
	{"[profile x]\nsso_start_url = u\nsso_region = r\n",
	 "wrong: profile \"x\": IAM Identity Center needs sso_account_id"												},
	{"[profile x]\nsso_start_url = u\nsso_region = r\n" SSO KEYS,                                         "IAM Identity Center of x"                                 },
 /* roles */
	{"[profile x]\n" ROLE_A "source_profile = y\n[profile y]\n" KEYS,                                     "keys of y > arn:a"                                        },
	{"[profile x]\n" ROLE_A "source_profile = x\n" KEYS,                                                  "keys of x > arn:a"                                        },
	{"[profile x]\n" ROLE_A "source_profile = y\n" KEYS "[profile y]\n" KEYS,                             "keys of y > arn:a"                                        },
	{"[profile x]\n" ROLE_A "source_profile = y\n[profile y]\nrole_arn = arn:b\nsource_profile = z\n" KEYS
	 "[profile z]\n" KEYS, "keys of y > arn:a"},
	{"[profile x]\n" ROLE_A "source_profile = y\n[profile y]\nrole_arn = arn:b\nmfa_serial = m\n" KEYS, "keys of y > arn:a"},
	{"[profile x]\n" ROLE_A "source_profile = y\n[profile y]\nrole_arn = arn:b\naws_access_key_id = AKIA\n",
	 "wrong: profile \"y\": aws_access_key_id is set, but"},
	{"[profile x]\n" ROLE_A "source_profile = y\nexternal_id = ext\nrole_session_name = "
	 "me@home\nduration_seconds = 900\nregion = r\n"
	 "services = z\n[profile y]\n" KEYS "[services z]\nsts =\n  endpoint_url = http://e\n",
	 "keys of y > arn:a [ext me@home 900 r http://e]"														},
	{"[profile x]\n" ROLE_A
	 "source_profile = y\nendpoint_url = http://e\n[profile y]\nendpoint_url = http://f\n" KEYS,
	 "keys of y > arn:a [- - 0 - http://e]"															  },
	{"[profile x]\n" ROLE_A "source_profile = y\n[profile y]\nrole_arn = arn:b\nsource_profile = z\n"
	 "[profile z]\ncredential_process = p\n",						    "credential_process of z > arn:b > arn:a"                  },
	{"[profile x]\n" ROLE_A "credential_source = Environment\n",                                          "Environment of x > arn:a"                                 },
	{"[profile x]\n" ROLE_A "credential_source = Ec2InstanceMetadata\n",
	 "Ec2InstanceMetadata of x > arn:a"															      },
	{"[profile x]\n" ROLE_A "credential_source = EcsContainer\n",                                         "EcsContainer of x > arn:a"                                },
	{"[profile x]\n" ROLE_A "web_identity_token_file = /t\n",                                             "web identity of x > arn:a"                                },
	{"[profile x]\n" ROLE_A
	 "source_profile = y\n[profile y]\nrole_arn = arn:b\nweb_identity_token_file = /t\n",        "web identity of y > arn:b > arn:a"                        },
	{"[profile x]\n" ROLE_A,									      "wrong: profile \"x\": role_arn needs exactly one of"      },
	{"[profile x]\n" ROLE_A KEYS,									 "wrong: profile \"x\": role_arn needs exactly one of"      },
	{"[profile x]\n" ROLE_A "source_profile = y\ncredential_source = Environment\n",
	 "wrong: profile \"x\": role_arn needs exactly one of"													   },
	{"[profile x]\n" ROLE_A "credential_source = environment\n",
	 "wrong: profile \"x\": credential_source is none of"													    },
	{"[profile x]\n" ROLE_A "source_profile = y\n",
	 "wrong: profile \"x\": the profile that source_profile names"												   },
	{"[profile x]\n" ROLE_A "source_profile = y\n[profile y]\nregion = r\n",
	 "wrong: profile \"y\": it is the source_profile of another"												     },
	{"[profile x]\n" ROLE_A "source_profile = x\n",                                                       "wrong: profile \"x\": it is the source_profile"           },
	{"[profile x]\n" ROLE_A "source_profile = y\n[profile y]\n" ROLE_A "source_profile = x\n",
	 "wrong: profile \"y\": source_profile leads back"													       },
	{"[profile x]\n" ROLE_A "source_profile = y\n[profile y]\nnonsense\n",                                "wrong: config, line 5"                                    },
	{"[profile x]\n" ROLE_A "mfa_serial = m\nsource_profile = y\n[profile y]\n" KEYS,
	 "wrong: profile \"x\": mfa_serial asks"															 },
	{"[profile x]\n" ROLE_A "credential_source = Environment\nrole_session_name = a b\n",
	 "wrong: profile \"x\": role_session_name has"														   },
	{"[profile x]\n" ROLE_A "credential_source = Environment\nexternal_id = a\n",
	 "wrong: profile \"x\": external_id has"															 },
	{"[profile x]\n" ROLE_A "credential_source = Environment\nduration_seconds = 899\n",
	 "wrong: profile \"x\": duration_seconds is"														     },
	{"[profile x]\n" ROLE_A "credential_source = Environment\nduration_seconds = 43201\n",
	 "wrong: profile \"x\": duration_seconds is"														     },
	{"[profile x]\n" ROLE_A "credential_source = Environment\nduration_seconds = 9e9\n",
	 "wrong: profile \"x\": duration_seconds is"														     },
 /* what its requests were meant for would not get them */
	{"[profile x]\nservices = z\n" KEYS "[services y]\nsts =\n  endpoint_url = http://e\n",
	 "wrong: profile \"x\": there is no [services] section"},
	{"[profile x]\n" ROLE_A "source_profile = y\n[profile y]\nservices = z\n" KEYS,
	 "wrong: profile \"y\": there is no [services] section"},
	{"[profile x]\nservices = z\n", "none"},
 /* an MFA at a profile that is not followed is nobody's trouble */
	{"[profile x]\nmfa_serial = m\n" KEYS,								"keys of x"                                                },
};

static void plans(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct profile_file *f = config(cases[i].text);
		bool made = strncmp(cases[i].plan, "none", 4) != 0 && strncmp(cases[i].plan, "wrong", 5) != 0;
		struct buf got;

		buf_init(&got, 4096);
		plan_text(f, false, &got);
		if (made ? strcmp(buf_cstr(&got), cases[i].plan) != 0
			 : strncmp(buf_cstr(&got), cases[i].plan, strlen(cases[i].plan)) != 0)
			fail_msg("case %zu:\n%s\nnot\n%s", i, buf_cstr(&got), cases[i].plan);
		buf_free(&got);
		profile_file_free(f);
	}
}

/* Whoever names a profile wants that one; with another's credentials he would be somebody else. */
static void named(void **state)
{
	struct profile_file *f = config("[profile y]\n" KEYS "[nonsense\n[profile x\n" KEYS);
	struct profile_plan plan;
	struct err e;

	(void)state;
	assert_int_equal(profile_plan_make(f, "x", false, &plan, &e), PROFILE_PLAN_NONE);
	assert_int_equal(profile_plan_make(f, "x", true, &plan, &e), PROFILE_PLAN_WRONG);
	assert_string_equal(e.detail, "config, line 4: a section's name has no ].");
	assert_int_equal(profile_plan_make(f, "y", true, &plan, &e), PROFILE_PLAN_MADE);
	profile_file_free(f);
	f = config("[profile x]\nregion = r\n");
	assert_int_equal(profile_plan_make(f, "x", true, &plan, &e), PROFILE_PLAN_NONE);
	profile_file_free(f);
}

/* One role more than is followed. */
static void long_chain(void **state)
{
	for (int n = PROFILE_PLAN_ROLES_MAX; n <= PROFILE_PLAN_ROLES_MAX + 1; n++) {
		struct profile_file *f;
		struct profile_plan plan;
		struct buf text;
		struct err e;

		(void)state;
		buf_init(&text, 65536);
		for (int i = 0; i < n; i++)
			buf_printf(&text, "[profile p%d]\nrole_arn = arn:%d\nsource_profile = p%d\n", i, i,
				   i + 1);
		buf_printf(&text, "[profile p%d]\n" KEYS, n);
		f = config(buf_cstr(&text));
		assert_int_equal(profile_plan_make(f, "p0", true, &plan, &e),
				 n > PROFILE_PLAN_ROLES_MAX ? PROFILE_PLAN_WRONG : PROFILE_PLAN_MADE);
		if (n == PROFILE_PLAN_ROLES_MAX)
			assert_string_equal(plan.roles[0].role_arn, "arn:7");
		profile_file_free(f);
		buf_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans),
		cmocka_unit_test(named),
		cmocka_unit_test(long_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
