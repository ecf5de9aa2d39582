/* AWS Signature Version 4, pure: no clock, no network, no allocation that outlives a call.
 * Spec: AWS General Reference, "Signing AWS API requests"; behaviour as botocore's auth.py. */
#ifndef PGIAM_AWS_SIGV4_H
#define PGIAM_AWS_SIGV4_H

#include <stdint.h>
#include "aws/credentials.h"
#include "aws/date.h"
#include "base/buf.h"
#include "base/digest.h"

/* Who signs, for what, when. All borrowed. */
struct sigv4_signer {
	const struct credentials *creds;
	const char *region;  /* "us-east-1" */
	const char *service; /* "rds-db" */
	int64_t wall_us;     /* the time of signing */
};

struct sigv4_pair {
	struct slice name, value;
};

/* Query parameters or headers of a request, the ones this module adds not counted. */
#define SIGV4_PAIRS_MAX 16

/* HMAC chain secret -> date ("20260115") -> region -> service. As secret as the secret key: wipe it. */
void sigv4_signing_key(struct slice secret_key, const char *date, const char *region, const char *service,
		       unsigned char out[DIGEST_SHA256_BYTES]);

/* A presigned GET of "/". All borrowed. */
struct sigv4_presign {
	const char *host; /* canonical: lower case, with ":port" unless it is the scheme's own */
	uint32_t expires_sec;
	const struct sigv4_pair *pairs; /* parameters, not yet encoded */
	size_t pair_count;
};

/* Adds to out the whole query: the pairs, X-Amz-* in botocore's order, X-Amz-Signature last. ERR_LIMIT if out
 * is full or there are more than SIGV4_PAIRS_MAX pairs. */
int sigv4_presign(const struct sigv4_signer *s, const struct sigv4_presign *rq, struct buf *out,
		  struct err *e);

/* A request signed in its headers. `query` is already canonical (encoded, sorted), "" for none. Header names
 * are in lower case; "host" must be among them. x-amz-date and, with a session token, x-amz-security-token
 * are added to what is signed here, and must be sent as well: the first as given back in date, the second
 * from the credentials. */
struct sigv4_request {
	const char *method, *path, *query;
	const struct sigv4_pair *headers;
	size_t header_count;
	struct slice body;
};

/* Adds the value of the Authorization header to out. */
int sigv4_authorization(const struct sigv4_signer *s, const struct sigv4_request *rq,
			char date[DATE_AMZ_SIZE], struct buf *out, struct err *e);

#endif
