/* How a database is logged in to: what is asked for, or what follows from the rest. */
#include <stdio.h>
#include "app/conf_build_target.h"
#include "app/conf_kind.h"
#include "aws/token_kind.h"

/* The option's values, in its order. */
static const struct login {
	const char *name;
	enum target_auth auth;
	enum aws_token token;      /* with TARGET_AUTH_IAM */
	enum profile_kind profile; /* of a server whose name does not tell; PROFILE_COUNT: any */
} logins[] = {
	{"iam",      TARGET_AUTH_IAM,      AWS_TOKEN_RDS,  PROFILE_COUNT},
	{"password", TARGET_AUTH_PASSWORD, 0,              PROFILE_COUNT},
	{"none",     TARGET_AUTH_NONE,     0,              PROFILE_COUNT},
	{"dsql",     TARGET_AUTH_IAM,      AWS_TOKEN_DSQL, PROFILE_DSQL },
	{"secret",   TARGET_AUTH_SECRET,   0,              PROFILE_COUNT   },
	{"redshift", TARGET_AUTH_REDSHIFT, 0,              PROFILE_REDSHIFT},
};

/* The one that is asked for by name, or NULL. */
static const struct login *asked_for(const struct targets *ts)
{
	return conf_build_target_text(ts, OPT_AUTH) ? &logins[conf_build_target_num(ts, OPT_AUTH)] : NULL;
}

enum profile_kind conf_build_target_auth_profile(const struct targets *ts)
{
	const struct login *l = asked_for(ts);

	return l ? l->profile : PROFILE_COUNT;
}

const char *conf_build_target_auth(const struct targets *ts)
{
	for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++)
		if (logins[i].auth == ts->t->auth &&
		    (ts->t->auth != TARGET_AUTH_IAM || logins[i].token == ts->token))
			return logins[i].name;
	return "";
}

static bool has_password(const struct targets *ts)
{
	return conf_build_target_text(ts, OPT_PASSWORD) || conf_build_target_text(ts, OPT_PASSWORD_FILE) ||
	       conf_build_target_text(ts, OPT_PASSWORD_ENV);
}

static bool is_redshift(const struct target *t)
{
	return conf_kind_of_host(t->iam_host ? t->iam_host : t->host) == PROFILE_REDSHIFT;
}

/* The name that is signed has to be an endpoint's own. */
static void check_signed_name(struct targets *ts)
{
	const struct target *t = ts->t;
	const struct token_kind *kind = token_kind_get(ts->token);
	const char *name = t->iam_host ? t->iam_host : t->host;
	enum aws_token taken;
	char hint[256];

	if (token_kind_of_host(name, &taken)) {
		snprintf(hint, sizeof(hint), "Use auth=%s.", token_kind_get(taken)->auth);
		if (taken != ts->token)
			conf_build_target_bad(ts, OPT_AUTH, hint,
					      "%s takes no token of %s: it is an endpoint of %s", name, kind->server,
					      token_kind_get(taken)->server);
	} else if (is_redshift(t)) {
		conf_build_target_bad(ts, OPT_AUTH, "Use auth=redshift.",
				      "%s takes no token of %s: it is an endpoint of Redshift", name, kind->server);
	} else if (t->iam_host) {
		conf_build_target_warn(ts, "iam_host: %s does not look like the name of an %s endpoint", name,
				       kind->server);
	} else {
		snprintf(hint, sizeof(hint),
			 "Set iam_host to the endpoint's own name, as in %s: the database compares the token with it.",
			 kind->example);
		conf_build_target_bad(ts, OPT_IAM_HOST, hint,
				      "is missing: %s is not the name of an %s endpoint, and a token signed for it would "
				      "be refused",
				      name, kind->server);
	}
}

/* The token that is meant where nobody says how to log in: DSQL's for a name of DSQL; RDS's for one of RDS, and where
 * iam_host says that a token is wanted. */
static bool implied_token(const struct target *t, enum aws_token *token)
{
	if (t->iam_host) {
		*token = AWS_TOKEN_RDS;
		token_kind_of_host(t->iam_host, token);
		return true;
	}
	return token_kind_of_host(t->host, token);
}

/* What follows where auth is not set; false, and told, if nothing does. */
static bool imply(struct targets *ts)
{
	struct target *t = ts->t;

	if (has_password(ts)) {
		t->auth = TARGET_AUTH_PASSWORD;
	} else if (conf_build_target_text(ts, OPT_SECRET_ID)) {
		t->auth = TARGET_AUTH_SECRET;
	} else if (is_redshift(t)) {
		t->auth = TARGET_AUTH_REDSHIFT;
	} else if (implied_token(t, &ts->token)) {
		t->auth = TARGET_AUTH_IAM;
	} else {
		conf_build_target_bad(
			ts, OPT_AUTH,
			"For IAM give iam_host, the endpoint's own name; for a password, auth=password and "
			"password_file; for a server that asks for nothing, auth=none.",
			"has to be said: %s is not the name of an RDS endpoint", t->host);
		return false;
	}
	return true;
}

/* Options that only one way to log in uses. */
static void check_unused(struct targets *ts)
{
	static const struct {
		enum option_id id;
		enum target_auth auth;
	} of_one[] = {
		{OPT_SECRET_ID,        TARGET_AUTH_SECRET  },
		{OPT_CLUSTER_ID,       TARGET_AUTH_REDSHIFT},
		{OPT_WORKGROUP,        TARGET_AUTH_REDSHIFT},
		{OPT_DB_GROUPS,        TARGET_AUTH_REDSHIFT},
		{OPT_AUTO_CREATE,      TARGET_AUTH_REDSHIFT},
		{OPT_DURATION_SECONDS, TARGET_AUTH_REDSHIFT},
	};
	const struct target *t = ts->t;

	if (t->auth != TARGET_AUTH_PASSWORD && has_password(ts))
		conf_build_target_bad(ts, OPT_AUTH, NULL, "a password is given, and auth=%s does not use it",
				      conf_build_target_auth(ts));
	for (size_t i = 0; i < sizeof(of_one) / sizeof(of_one[0]); i++)
		if (t->auth != of_one[i].auth && ts->db->set[of_one[i].id].text)
			conf_build_target_bad(ts, OPT_AUTH, NULL, "%s is given, and auth=%s does not use it",
					      options_get(of_one[i].id)->name, conf_build_target_auth(ts));
}

void conf_build_target_login(struct targets *ts)
{
	const struct login *l = asked_for(ts);

	ts->t->auth = TARGET_AUTH_NONE;
	if (l) {
		ts->t->auth = l->auth;
		ts->token = l->token;
	} else if (!imply(ts)) {
		return;
	}
	check_unused(ts);
	if (ts->t->auth == TARGET_AUTH_IAM)
		check_signed_name(ts);
}
