/* What a database logs in with. Databases that say the same share one source: the workers make one of each.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "app/conf_build_target.h"
#include "aws/env.h"
#include "aws/secrets_manager.h"
#include "base/mem.h"

static bool same(const char *a, const char *b)
{
	return !a == !b && slice_eq(slice_str(a), slice_str(b));
}

/* Takes s; returns its index. */
static uint32_t shared_secret(struct conf *c, struct conf_secret *s)
{
	for (size_t i = 0; i < c->secret_count; i++) {
		struct conf_secret *o = &c->secrets[i];
		if (o->kind != s->kind || o->token != s->token || o->identity != s->identity ||
		    !same(o->region, s->region) || !same(o->password_file, s->password_file) ||
		    !same(o->password, s->password) || !same(o->secret_id, s->secret_id) ||
		    (s->kind == TARGET_AUTH_REDSHIFT && !redshift_same(&o->redshift, &s->redshift)))
			continue;
		free(s->region);
		free(s->secret_id);
		free(s->redshift_name);
		free(s->password_file);
		mem_free_str_wipe(s->password);
		return (uint32_t)i;
	}
	c->secrets = mem_resize(c->secrets, (c->secret_count + 1) * sizeof(*c->secrets));
	c->secrets[c->secret_count] = *s;
	return (uint32_t)c->secret_count++;
}

/* Borrows who's strings; returns its index. */
static uint32_t shared_identity(struct conf *c, const struct aws_identity *who)
{
	for (size_t i = 0; i < c->identity_count; i++)
		if (identity_same(&c->identities[i], who))
			return (uint32_t)i;
	c->identities = mem_resize(c->identities, (c->identity_count + 1) * sizeof(*c->identities));
	c->identities[c->identity_count] = *who;
	return (uint32_t)c->identity_count++;
}

static void check_identity(struct targets *ts)
{
	static const struct {
		enum option_id id;
		int (*check)(const char *value, struct err *e);
	} of_role[] = {
		{OPT_ROLE_ARN,          identity_check_role        },
		{OPT_EXTERNAL_ID,       identity_check_external_id },
		{OPT_ROLE_SESSION_NAME, identity_check_session_name},
	};
	bool role = conf_build_target_text(ts, OPT_ROLE_ARN) != NULL;
	struct err e;

	for (size_t i = 0; i < sizeof(of_role) / sizeof(of_role[0]); i++) {
		const char *value = conf_build_target_text(ts, of_role[i].id);

		if (value && of_role[i].check(value, &e) != 0) {
			conf_builder_bad(ts->b, ts->db, of_role[i].id, &e);
			ts->failed = true;
		} else if (value && !role && ts->db->set[of_role[i].id].text) {
			conf_build_target_bad(ts, of_role[i].id, NULL, "is about a role, and role_arn is not set");
		}
	}
}

/* Whose AWS credentials. Its region may be the secret's: an identity that is new makes the secret new as well, and stays
 * with it. */
static void build_identity(struct targets *ts, struct conf_secret *s)
{
	struct aws_identity who = {
		.profile = conf_build_target_text(ts, OPT_AWS_PROFILE),
		.role_arn = conf_build_target_text(ts, OPT_ROLE_ARN),
		.region = s->region,
	};

	if (who.role_arn) {
		who.external_id = conf_build_target_text(ts, OPT_EXTERNAL_ID);
		who.role_session_name = conf_build_target_text(ts, OPT_ROLE_SESSION_NAME);
	}
	s->identity = shared_identity(ts->b->c, &who);
}

/* What only who signs can use. */
static void refuse_identity(struct targets *ts)
{
	static const enum option_id ids[] = {OPT_AWS_PROFILE, OPT_ROLE_ARN, OPT_EXTERNAL_ID,
					     OPT_ROLE_SESSION_NAME};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (ts->db->set[ids[i]].text)
			conf_build_target_bad(ts, ids[i], "Leave it out.",
					      "is about AWS credentials, and this auth needs none");
}

static void iam_secret(struct targets *ts, struct conf_secret *s)
{
	if (!conf_build_target_region(ts, s, conf_build_target_text(ts, OPT_REGION)))
		return;
	s->token = ts->token;
	build_identity(ts, s);
}

static void password_secret(struct targets *ts, struct conf_secret *s)
{
	const char *inline_text = conf_build_target_text(ts, OPT_PASSWORD),
		   *file = conf_build_target_text(ts, OPT_PASSWORD_FILE),
		   *variable = conf_build_target_text(ts, OPT_PASSWORD_ENV), *value;

	if (!inline_text + !file + !variable != 2) {
		conf_build_target_bad(
			ts, OPT_PASSWORD_FILE, NULL,
			"auth=password needs exactly one of password_file, password_env and password");
		return;
	}
	if (inline_text && ts->db->set[OPT_PASSWORD].rank == CONF_RANK_FILE &&
	    ts->b->c->priv->values.file_readable_by_others)
		conf_build_target_warn(ts, "a password stands in a file that others may read; chmod 600 it, "
					   "or use password_file");
	if (variable) {
		value = ts->b->in->env ? env_get(ts->b->in->env, variable) : NULL;
		if (!value) {
			conf_build_target_bad(ts, OPT_PASSWORD_ENV, NULL, "the variable %s is not set",
					      variable);
			return;
		}
		inline_text = value;
	}
	if (file && access(file, R_OK) != 0)
		conf_build_target_warn(ts, "password_file: %s cannot be read now", file);
	s->password = mem_strdup(inline_text);
	s->password_file = mem_strdup(file);
}

/* A secret of Secrets Manager. Its ARN says where it is. */
static void kept_secret(struct targets *ts, struct conf_secret *s)
{
	const char *id = conf_build_target_text(ts, OPT_SECRET_ID), *given = conf_build_target_text(ts, OPT_REGION);
	char named[64];
	struct err e;

	if (!id) {
		conf_build_target_bad(ts, OPT_SECRET_ID, "Name the secret: its name or, better, its ARN.",
				      "auth=secret needs it");
		return;
	}
	if (secrets_manager_id(id, named, &e) != 0) {
		conf_builder_bad(ts->b, ts->db, OPT_SECRET_ID, &e);
		ts->failed = true;
		return;
	}
	if (named[0] && given && strcmp(named, given) != 0)
		conf_build_target_warn(ts, "region: the secret is asked for in %s, as its ARN says", named);
	if (!conf_build_target_region(ts, s, named[0] ? named : given))
		return;
	s->secret_id = mem_strdup(id);
	build_identity(ts, s);
}

static void redshift_secret(struct targets *ts, struct conf_secret *s)
{
	if (conf_build_redshift(ts, s))
		build_identity(ts, s);
}

void conf_build_secret(struct targets *ts, struct conf_target *ct)
{
	struct conf_secret s = {.kind = ts->t->auth};

	ct->auth_text = conf_build_target_auth(ts);
	if (conf_auth_signs(s.kind))
		check_identity(ts);
	else
		refuse_identity(ts);
	if (ts->failed)
		return;
	switch (s.kind) {
	case TARGET_AUTH_IAM: iam_secret(ts, &s); break;
	case TARGET_AUTH_PASSWORD: password_secret(ts, &s); break;
	case TARGET_AUTH_NONE: break;
	case TARGET_AUTH_SECRET: kept_secret(ts, &s); break;
	case TARGET_AUTH_REDSHIFT: redshift_secret(ts, &s); break;
	}
	if (!ts->failed)
		ts->t->secret_index = shared_secret(ts->b->c, &s);
}
