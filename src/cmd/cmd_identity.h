/* Whose AWS credentials a command works with: the flags and the variables of the options that say so to `pgiam run`. */
#ifndef PGIAM_CMD_CMD_IDENTITY_H
#define PGIAM_CMD_CMD_IDENTITY_H

#include <stdbool.h>
#include "aws/aws.h"

/* What getopt_long answers for the first of CMD_IDENTITY_FLAGS. */
#define CMD_IDENTITY_FIRST 256

/* Rows of getopt_long's options. */
#define CMD_IDENTITY_FLAGS                                                                                   \
	{"credential-provider", required_argument, NULL, CMD_IDENTITY_FIRST},                                \
		{"aws-profile", required_argument, NULL, CMD_IDENTITY_FIRST + 1},                            \
		{"role-arn", required_argument, NULL, CMD_IDENTITY_FIRST + 2},                               \
		{"external-id", required_argument, NULL, CMD_IDENTITY_FIRST + 3}, {                          \
		"role-session-name", required_argument, NULL, CMD_IDENTITY_FIRST + 4                         \
	}

/* For a command's help. */
#define CMD_IDENTITY_HELP                                                                                    \
	"Whose credentials; the variables of `pgiam run` (PGIAM_AWS_PROFILE, ...) are taken where no flag says it:\n" \
	"  --credential-provider NAME  look only there: env, web-identity, profile, container or imds\n"      \
	"  --aws-profile NAME          the profile of the AWS files, whatever the environment says\n"          \
	"  --role-arn ARN              assume this role with them; it is about the role's credentials then\n"  \
	"  --external-id ID            that its trust policy asks for\n"                                       \
	"  --role-session-name NAME    as CloudTrail shows it\n"

/* Takes the value (borrowed) if c is one of the flags. */
bool cmd_identity_flag(struct aws_whose *whose, int c, const char *value);

/* Takes from whose->env what no flag said, and checks it all. 0, or -1 with e (ERR_CONFIG). */
int cmd_identity_finish(struct aws_whose *whose, struct err *e);

#endif
