/* The kinds of login tokens and how they differ, as one table: of RDS, of Aurora DSQL. Pure. */
#ifndef PGIAM_AWS_TOKEN_KIND_H
#define PGIAM_AWS_TOKEN_KIND_H

#include "aws/aws.h"
#include "aws/endpoint.h"
#include "aws/token.h"

struct token_kind {
	const char *auth;    /* "iam": the value of auth= that asks for it */
	const char *server;  /* "RDS": who takes it, for people */
	const char *example; /* of an endpoint's own name */
	bool (*is_taken_by)(enum endpoint_kind kind);
	/* As token_rds. */
	int (*mint)(const struct token_request *rq, struct buf *out, struct err *e);
	/* Behind "The token was signed for": what the signature says. */
	void (*add_signed)(const struct token_request *rq, struct buf *out);
	/* Why a server refuses it, but for what is common to all; likely causes first, ';' between them. */
	void (*add_causes)(const struct token_request *rq, struct buf *out);
};

const struct token_kind *token_kind_get(enum aws_token token);

/* Which one the endpoint of this name takes. False if it is the name of none that does. */
bool token_kind_of_host(const char *host, enum aws_token *out);

#endif
