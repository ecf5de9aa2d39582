/* What AWS's answers have in common: credentials in JSON under various names, and errors in half a dozen
 * shapes. Pure. */
#ifndef PGIAM_AWS_REPLY_H
#define PGIAM_AWS_REPLY_H

#include "aws/credentials.h"
#include "aws/json.h"
#include "base/mask.h"

/* Temporary credentials in JSON: who names their parts how. */
enum reply_form {
	REPLY_INSTANCE, /* instance metadata; ECS and EKS */
	REPLY_PORTAL,   /* IAM Identity Center's GetRoleCredentials */
	REPLY_FORM_COUNT
};

/* Renewable credentials, with an end and a session token. NULL with ERR_CREDENTIALS; j: NULL is no JSON; provider is a
 * literal and begins the message. */
struct credentials *reply_credentials(const struct json *j, enum reply_form form, const char *provider, struct err *e);

/* What an answer that is no success says about itself: "" where it says nothing. Masked, printable, cut. */
#define REPLY_CODE_SIZE 64
struct reply_error {
	char code[REPLY_CODE_SIZE]; /* "AccessDenied"; without a namespace in front or a ':' behind */
	char message[256];
};

/* body: JSON or XML; error_type: the header x-amzn-errortype, n == 0 if there is none; mask: of the request's secrets. */
void reply_error_read(struct slice body, struct slice error_type, const struct mask *mask, struct reply_error *out);

#endif
