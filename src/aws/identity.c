/* What is wrong with a role's name is told when the settings are read: STS would say it at each login. Forms:
 * IAM and STS API references, "AssumeRole". */
#include "aws/identity.h"

#include <ctype.h>
#include <string.h>
#include "aws/chain.h"
#include "aws/provider_profile.h"
#include "aws/sts.h"

#define ACCOUNT_DIGITS  12
#define ROLE_NAME_MAX   576 /* a path of 512 and a name of 64 */
#define EXTERNAL_ID_MAX 1224

static bool same(const char *a, const char *b)
{
	return !a == !b && slice_eq(slice_str(a), slice_str(b));
}

bool identity_same(const struct aws_identity *a, const struct aws_identity *b)
{
	return same(a->profile, b->profile) && same(a->role_arn, b->role_arn) &&
	       same(a->external_id, b->external_id) && same(a->role_session_name, b->role_session_name);
}

void identity_text(const struct aws_identity *who, struct buf *out)
{
	if (!who->profile && !who->role_arn)
		buf_add_str(out, "default");
	if (who->role_arn)
		buf_printf(out, "role %s", who->role_arn);
	if (who->profile)
		buf_printf(out, "%sprofile %s", who->role_arn ? " of " : "", who->profile);
	if (who->role_session_name)
		buf_printf(out, " as %s", who->role_session_name);
}

/* ---- forms ---- */

/* Nothing but letters, digits and those. */
static bool only(const char *s, const char *others)
{
	while (*s && (isalnum((unsigned char)*s) || strchr(others, *s)))
		s++;
	return *s == '\0';
}

/* Behind "arn:PARTITION:iam::ACCOUNT:role/", or NULL. */
static const char *role_name(const char *arn)
{
	static const char before[] = "arn:", service[] = ":iam::", kind[] = ":role/";
	const char *at = arn;

	if (strncmp(at, before, sizeof(before) - 1) != 0)
		return NULL;
	at += sizeof(before) - 1;
	if (strncmp(at, "aws", 3) != 0)
		return NULL;
	at += strspn(at, "abcdefghijklmnopqrstuvwxyz-");
	if (strncmp(at, service, sizeof(service) - 1) != 0)
		return NULL;
	at += sizeof(service) - 1;
	if (strspn(at, "0123456789") != ACCOUNT_DIGITS)
		return NULL;
	at += ACCOUNT_DIGITS;
	return strncmp(at, kind, sizeof(kind) - 1) == 0 ? at + sizeof(kind) - 1 : NULL;
}

int identity_check_role(const char *arn, struct err *e)
{
	const char *name = role_name(arn);

	if (name && *name && name[strlen(name) - 1] != '/' && strlen(name) <= ROLE_NAME_MAX &&
	    only(name, "_+=,.@-/"))
		return 0;
	err_set(e, ERR_CONFIG, "\"%.200s\" is not the ARN of a role", arn);
	err_hint(e, "It looks like arn:aws:iam::123456789012:role/NAME.");
	return -1;
}

int identity_check_external_id(const char *id, struct err *e)
{
	size_t n = strlen(id);

	if (n >= 2 && n <= EXTERNAL_ID_MAX && only(id, "_+=,.@:/-"))
		return 0;
	return err_set(e, ERR_CONFIG, "is not 2 to %d letters, digits and _+=,.@:/-", EXTERNAL_ID_MAX);
}

int identity_check_session_name(const char *name, struct err *e)
{
	if (sts_session_name_ok(name))
		return 0;
	return err_set(e, ERR_CONFIG, "\"%.100s\" is not 2 to 64 letters, digits and _+=,.@-", name);
}

/* ---- the provider ---- */

struct provider *identity_provider(const struct provider_deps *d, const struct aws_identity *who,
				   const char *only_member)
{
	struct provider_deps its = *d;
	struct provider *p;

	its.region_else = who->region;
	if (who->profile)
		p = provider_profile_new(&its, who->profile);
	else
		p = only_member ? chain_only(&its, only_member) : chain_default(&its);
	return who->role_arn ? provider_role_new(&its, p, who) : p;
}
