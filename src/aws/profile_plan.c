/* Follows source_profile from the profile that was asked for to the one with credentials of its own. Whatever
 * is ambiguous is refused: which role a login has must not depend on which SDK's order somebody had in mind.
 */
#include "aws/profile_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "aws/sts.h"

/* The way that was gone. */
struct path {
	const struct profile_file *f;
	const struct profile_section *seen[PROFILE_PLAN_ROLES_MAX];
	struct profile_plan *out;
	struct err *e;
};

static const char *const names[] = {
#define X(base, name) [base] = (name),
	PROFILE_PLAN_TABLE(X)
#undef X
};

static const struct profile_section *services_of(const struct profile_file *f, const struct profile_section *p)
{
	const char *name = profile_file_get(p, "services");

	return name ? profile_file_find(f, PROFILE_SERVICES, name) : NULL;
}

const char *profile_plan_services_lost(const struct profile_file *f, const struct profile_section *p)
{
	return services_of(f, p) ? NULL : profile_file_get(p, "services");
}

const char *profile_plan_endpoint(const struct profile_file *f, const struct profile_section *p,
				  const char *service)
{
	const struct profile_section *s = services_of(f, p);
	char key[64];
	const char *url;

	snprintf(key, sizeof(key), "%s.endpoint_url", service);
	url = s ? profile_file_get(s, key) : NULL;
	return url ? url : profile_file_get(p, "endpoint_url");
}

static enum profile_plan_result wrong(struct path *w, const struct profile_section *p, const char *what)
{
	err_set(w->e, ERR_CREDENTIALS, "profile \"%.100s\": %s", profile_file_name(p), what);
	return PROFILE_PLAN_WRONG;
}

/* ---- a profile with credentials of its own ---- */

/* The session's value and the profile's, which must not differ. */
static bool sso_agrees(const struct profile_plan *out, const char *key)
{
	const char *own = profile_file_get(out->profile, key), *common = profile_file_get(out->session, key);

	return !own || !common || strcmp(own, common) == 0;
}

static enum profile_plan_result sso(struct path *w, const struct profile_section *p)
{
	const char *session = profile_file_get(p, "sso_session");
	struct profile_plan *out = w->out;
	const struct profile_section *from = p;

	if (session) {
		out->session = from = profile_file_find(w->f, PROFILE_SSO_SESSION, session);
		if (!from)
			return wrong(w, p,
				     "there is no [sso-session] section of the name that sso_session gives");
		if (profile_file_check(from, w->e) != 0)
			return PROFILE_PLAN_WRONG;
		if (!sso_agrees(out, "sso_start_url") || !sso_agrees(out, "sso_region"))
			return wrong(w, p,
				     "sso_start_url or sso_region differs from that of its sso_session");
	}
	if (!profile_file_get(from, "sso_start_url") || !profile_file_get(from, "sso_region"))
		return wrong(w, p, "IAM Identity Center needs sso_start_url and sso_region");
	if (!profile_file_get(p, "sso_account_id") || !profile_file_get(p, "sso_role_name"))
		return wrong(w, p, "IAM Identity Center needs sso_account_id and sso_role_name");
	return PROFILE_PLAN_MADE;
}

static enum profile_plan_result keys(struct path *w, const struct profile_section *p)
{
	if (!profile_file_get(p, "aws_access_key_id"))
		return wrong(w, p, "aws_secret_access_key is set, but aws_access_key_id is not");
	if (!profile_file_get(p, "aws_secret_access_key"))
		return wrong(w, p, "aws_access_key_id is set, but aws_secret_access_key is not");
	return PROFILE_PLAN_MADE;
}

static enum profile_plan_result as_is(struct path *w, const struct profile_section *p)
{
	(void)w;
	(void)p;
	return PROFILE_PLAN_MADE;
}

/* One of the settings is there: this base is meant. */
static const struct {
	enum profile_plan_base base;
	const char *settings[4];
	enum profile_plan_result (*check)(struct path *w, const struct profile_section *p);
} bases[] = {
	{PROFILE_SSO,     {"sso_session", "sso_start_url", "sso_account_id", "sso_role_name"}, sso  },
	{PROFILE_KEYS,    {"aws_access_key_id", "aws_secret_access_key"},                      keys },
	{PROFILE_LOGIN,   {"login_session"},						   as_is},
	{PROFILE_PROCESS, {"credential_process"},                                              as_is},
};

static bool has_any(const struct profile_section *p, const char *const settings[4])
{
	for (int i = 0; i < 4 && settings[i]; i++)
		if (profile_file_get(p, settings[i]))
			return true;
	return false;
}

/* Who is another's source_profile gives its keys, if it has any, whatever role it has besides: the SDKs agree on it. */
static bool has_keys(const struct profile_section *p)
{
	return profile_file_get(p, "aws_access_key_id") || profile_file_get(p, "aws_secret_access_key");
}

static enum profile_plan_result own_credentials(struct path *w, const struct profile_section *p)
{
	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
		if (!has_any(p, bases[i].settings))
			continue;
		w->out->base = bases[i].base;
		w->out->profile = p;
		return bases[i].check(w, p);
	}
	if (w->out->role_count > 0)
		return wrong(w, p, "it is the source_profile of another, and has no credentials");
	err_set(w->e, ERR_CREDENTIALS, "profile \"%.100s\" has no credentials", profile_file_name(p));
	return PROFILE_PLAN_NONE;
}

/* ---- roles ---- */

static int duration(const char *text, unsigned *sec)
{
	char *end;
	unsigned long n;

	*sec = 0;
	if (!text)
		return 0;
	if (strspn(text, "0123456789") != strlen(text) || strlen(text) > 5)
		return -1;
	n = strtoul(text, &end, 10);
	if (n < 900 || n > 43200)
		return -1;
	*sec = (unsigned)n;
	return 0;
}

/* Notes the role of p, which has role_arn. NULL, or what is wrong with it. */
static const char *note_role(struct path *w, const struct profile_section *p)
{
	struct profile_plan *out = w->out;
	struct profile_plan_role *role = &out->roles[out->role_count];
	size_t external;

	if (profile_file_get(p, "mfa_serial"))
		return "mfa_serial asks for a code at every refresh, and nobody is here to type it";
	if (out->role_count == PROFILE_PLAN_ROLES_MAX)
		return "more roles behind each other than pgiam follows";
	*role = (struct profile_plan_role){
		.role_arn = profile_file_get(p, "role_arn"),
		.external_id = profile_file_get(p, "external_id"),
		.session_name = profile_file_get(p, "role_session_name"),
		.region = profile_file_get(p, "region"),
		.sts_endpoint = profile_plan_endpoint(w->f, p, "sts"),
	};
	external = role->external_id ? strlen(role->external_id) : 2;
	if (external < 2 || external > 1224)
		return "external_id has 2 to 1224 characters";
	if (role->session_name && !sts_session_name_ok(role->session_name))
		return "role_session_name has 2 to 64 letters, digits, or _+=,.@-";
	if (duration(profile_file_get(p, "duration_seconds"), &role->duration_sec) != 0)
		return "duration_seconds is a number from 900 to 43200";
	w->seen[out->role_count++] = p;
	return NULL;
}

static bool was_seen(const struct path *w, const struct profile_section *p)
{
	for (size_t i = 0; i < w->out->role_count; i++)
		if (w->seen[i] == p)
			return true;
	return false;
}

static enum profile_plan_result credential_source(struct path *w, const struct profile_section *p,
						  const char *source)
{
	w->out->profile = p;
	for (w->out->base = PROFILE_ENVIRONMENT; w->out->base <= PROFILE_IMDS; w->out->base++)
		if (strcmp(source, names[w->out->base]) == 0)
			return PROFILE_PLAN_MADE;
	return wrong(w, p, "credential_source is none of Environment, Ec2InstanceMetadata, EcsContainer");
}

/* Of a profile with role_arn; *next is the profile to go on with, NULL at the end. */
static enum profile_plan_result role(struct path *w, const struct profile_section *p,
				     const struct profile_section **next)
{
	const char *source = profile_file_get(p, "source_profile");
	const char *from = profile_file_get(p, "credential_source");
	const char *token = profile_file_get(p, "web_identity_token_file");
	const char *what = note_role(w, p);

	*next = NULL;
	if (what)
		return wrong(w, p, what);
	if (!!source + !!from + !!token != 1)
		return wrong(w, p,
			     "role_arn needs exactly one of source_profile, credential_source and "
			     "web_identity_token_file");
	if (token) {
		w->out->base = PROFILE_WEB_IDENTITY;
		w->out->profile = p;
		return PROFILE_PLAN_MADE;
	}
	if (from)
		return credential_source(w, p, from);
	*next = profile_file_find(w->f, PROFILE_PROFILE, source);
	if (!*next)
		return wrong(w, p, "the profile that source_profile names does not exist");
	if (*next == p) { /* itself: its own keys */
		*next = NULL;
		return own_credentials(w, p);
	}
	return was_seen(w, *next) ? wrong(w, p, "source_profile leads back to where it came from")
				  : PROFILE_PLAN_MADE;
}

static void reverse_roles(struct profile_plan *out)
{
	for (size_t i = 0; i < out->role_count / 2; i++) {
		struct profile_plan_role r = out->roles[i];

		out->roles[i] = out->roles[out->role_count - 1 - i];
		out->roles[out->role_count - 1 - i] = r;
	}
}

enum profile_plan_result profile_plan_make(const struct profile_file *f, const char *name, bool named,
					   struct profile_plan *out, struct err *e)
{
	struct path w = {.f = f, .out = out, .e = e};
	const struct profile_section *p = profile_file_find(f, PROFILE_PROFILE, name);
	enum profile_plan_result rc = PROFILE_PLAN_MADE;

	memset(out, 0, sizeof(*out));
	if (!p) {
		err_set(e, ERR_CREDENTIALS, "there is no profile \"%.100s\" in the AWS files", name);
		if (*profile_file_stray(f))
			err_detail(e, "%s.", profile_file_stray(f));
		err_hint(e, "~/.aws/config (or AWS_CONFIG_FILE) has it as [profile %.100s], ~/.aws/credentials (or "
			    "AWS_SHARED_CREDENTIALS_FILE) as [%.100s], both in the home of the user pgiam runs as.", name, name);
		return named ? PROFILE_PLAN_WRONG : PROFILE_PLAN_NONE;
	}
	while (p && rc == PROFILE_PLAN_MADE) {
		const struct profile_section *here = p;

		if (profile_file_check(p, e) != 0)
			return PROFILE_PLAN_WRONG;
		if (profile_file_get(p, "role_arn") && !(out->role_count > 0 && has_keys(p))) {
			rc = role(&w, p, &p);
		} else {
			rc = own_credentials(&w, p);
			p = NULL;
		}
		if (rc == PROFILE_PLAN_MADE && profile_plan_services_lost(f, here))
			rc = wrong(&w, here, "there is no [services] section of the name that services gives");
	}
	reverse_roles(out);
	return rc;
}
