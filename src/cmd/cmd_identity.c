#include "cmd/cmd_identity.h"

#include <stddef.h>
#include "app/options.h"
#include "aws/env.h"

/* In the order of CMD_IDENTITY_FLAGS. */
static const struct row {
	enum option_id id;
	size_t at; /* in struct aws_whose: a const char * */
	int (*check)(const char *value, struct err *e);
} rows[] = {
	{OPT_CREDENTIAL_PROVIDER, offsetof(struct aws_whose, only_provider),              NULL                       },
	{OPT_AWS_PROFILE,         offsetof(struct aws_whose, identity.profile),           NULL                       },
	{OPT_ROLE_ARN,            offsetof(struct aws_whose, identity.role_arn),          identity_check_role        },
	{OPT_EXTERNAL_ID,         offsetof(struct aws_whose, identity.external_id),       identity_check_external_id },
	{OPT_ROLE_SESSION_NAME,   offsetof(struct aws_whose, identity.role_session_name), identity_check_session_name},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const char **slot(struct aws_whose *whose, const struct row *row)
{
	return (const char **)((char *)whose + row->at);
}

bool cmd_identity_flag(struct aws_whose *whose, int c, const char *value)
{
	if (c < CMD_IDENTITY_FIRST || c >= CMD_IDENTITY_FIRST + (int)ROWS)
		return false;
	*slot(whose, &rows[c - CMD_IDENTITY_FIRST]) = value;
	return true;
}

static int check(const struct row *row, const char *value, struct err *e)
{
	const struct option *o = options_get(row->id);
	char name[OPTION_ENV_MAX];
	struct option_value parsed;

	if (options_parse(o, value, &parsed, e) != 0 || (row->check && row->check(value, e) != 0))
		return err_prefix(e, "%s", options_flag_name(o, name));
	return 0;
}

int cmd_identity_finish(struct aws_whose *whose, struct err *e)
{
	struct aws_identity *who = &whose->identity;
	bool about_role = who->external_id || who->role_session_name;
	char name[OPTION_ENV_MAX];

	for (const struct row *row = rows; row < rows + ROWS; row++) {
		const char **value = slot(whose, row);

		if (!*value)
			*value = env_get(whose->env, options_env_name(options_get(row->id), name));
		if (*value && check(row, *value, e) != 0)
			return -1;
	}
	if (who->role_arn)
		return 0;
	if (about_role)
		return err_set(e, ERR_CONFIG, "an external id or a session name is about a role: --role-arn is missing");
	who->external_id = who->role_session_name = NULL; /* of the environment, for whom there is a role */
	return 0;
}
