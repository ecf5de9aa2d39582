#include "aws/secrets_manager.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "aws/service_call.h"
#include "base/buf.h"
#include "base/mem.h"

#define NAME_MAX_BYTES 512
#define ARN_MAX_BYTES  2048
#define BODY_MAX       (ARN_MAX_BYTES + 256)

struct secrets_manager {
	struct service_call *call; /* until it is answered */
	const char *stage;
	secret_reader_cb cb;
	void *arg;
};

/* ---- names ---- */

/* The field of an ARN, from 0: "arn:partition:service:region:account:...". */
static struct slice arn_field(const char *arn, unsigned n)
{
	for (; n > 0; n--)
		arn += strcspn(arn, ":") + 1; /* there are enough: counted before */
	return slice_of(arn, strcspn(arn, ":"));
}

static unsigned colons(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == ':';
	return n;
}

static int arn_region(const char *arn, char region[64], struct err *e)
{
	struct slice r;

	if (colons(arn) != 6 || !slice_eq_str(arn_field(arn, 2), "secretsmanager") ||
	    !slice_eq_str(arn_field(arn, 5), "secret") || arn_field(arn, 6).n == 0)
		return err_set(e, ERR_CONFIG, "this is not the ARN of a secret of Secrets Manager");
	r = arn_field(arn, 3);
	if (r.n == 0 || r.n >= 64)
		return err_set(e, ERR_CONFIG, "the ARN names no region");
	for (size_t i = 0; i < r.n; i++)
		if (!islower(r.p[i]) && !isdigit(r.p[i]) && r.p[i] != '-')
			return err_set(e, ERR_CONFIG, "the ARN names no region");
	memcpy(region, r.p, r.n);
	region[r.n] = '\0';
	return 0;
}

int secrets_manager_id(const char *id, char region[64], struct err *e)
{
	bool arn = strncmp(id, "arn:", 4) == 0;
	size_t n = strlen(id);

	region[0] = '\0';
	if (n == 0 || n > (arn ? ARN_MAX_BYTES : NAME_MAX_BYTES))
		return err_set(e, ERR_CONFIG, "a secret's name has 1 to %d characters", NAME_MAX_BYTES);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)id[i]) && !strchr(arn ? "/_+=.@!:-" : "/_+=.@!-", id[i]))
			return err_set(e, ERR_CONFIG,
				       "a secret's name is made of letters, digits and /_+=.@!-, an ARN of : besides");
	return arn ? arn_region(id, region, e) : 0;
}

/* ---- the call ---- */

static const struct service_hint hints[] = {
	{"ResourceNotFoundException", "Is secret_id right, and the region? A secret of another account is named by its ARN."},
	{"AccessDeniedException",
	 "The credentials need secretsmanager:GetSecretValue on this secret, and kms:Decrypt where it has a key of its own."},
	{"DecryptionFailure", "The credentials need kms:Decrypt on the secret's key, and the key has to be enabled."},
	{"InvalidRequestException", "Is the secret scheduled for deletion?"},
	{NULL, NULL},
};

static void heard(void *arg, const struct call_answer *a)
{
	struct secrets_manager *s = arg;
	struct secret_reader_answer out = {.e = a->e, .cause = a->cause, .retry_after_us = a->retry_after_us};
	struct err e;

	if (a->reply) {
		out.value = secret_value_parse(a->reply->body, s->stage, a->mask, &e);
		out.e = out.value ? NULL : &e;
	}
	s->cb(s->arg, &out);
	secret_value_unref(out.value);
	free(s);
}

struct secrets_manager *secrets_manager_get(const struct provider_deps *d, const struct secrets_manager_request *rq,
					    secret_reader_cb cb, void *arg)
{
	struct secrets_manager *s = mem_zalloc(sizeof(*s));
	struct buf body;

	s->stage = rq->stage;
	s->cb = cb;
	s->arg = arg;
	buf_init(&body, BODY_MAX);
	buf_printf(&body, "{\"SecretId\": \"%s\", \"VersionStage\": \"%s\"}", rq->id, rq->stage); /* nothing to escape */
	s->call = service_call_start(d,
				     &(struct service_request){
					     .service = SERVICE_SECRETS_MANAGER,
					     .who = "secretsmanager GetSecretValue",
					     .region = rq->region,
					     .profile = rq->profile,
					     .content_type = "application/x-amz-json-1.1",
					     .header = {"x-amz-target", "secretsmanager.GetSecretValue"},
					     .body = buf_slice(&body),
					     .known = rq->known,
					     .signer = rq->signer,
					     .hints = hints,
				     },
				     heard, s);
	buf_free(&body);
	return s;
}

void secrets_manager_cancel(struct secrets_manager *s)
{
	if (!s)
		return;
	service_call_cancel(s->call);
	free(s);
}
