/* credential_process of a profile: a program prints credentials as JSON. What it prints never reaches a
 * message, nor does what it writes to its standard error: either may be a secret. Source: AWS SDKs and Tools
 * Reference Guide, "Process credential provider". */
#include "config.h" /* for environ */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "aws/json.h"
#include "aws/provider.h"
#include "aws/provider_profile.h"
#include "aws/words.h"
#include "base/mem.h"
#include "io/child.h"
#include "io/loop.h"

#define NAME       "process"
#define OUTPUT_MAX 65536
/* Such programs go out to identity providers; a login that waits has a deadline of its own. */
#define DEADLINE_US UINT64_C(60000000)

struct provider_process {
	struct provider base;
	struct loop *loop;
	const char *command; /* borrowed */
};

struct provider_process_op {
	struct provider_op base;
	/* one of the two is under way */
	struct child *child;
	struct defer defer;
	struct err err;
	provider_cb cb;
	void *arg;
};

static void finish(struct provider_process_op *op, const struct provider_answer *a)
{
	op->cb(op->arg, a);
	defer_clear(&op->defer);
	free(op);
}

static void failed(void *arg)
{
	struct provider_process_op *op = arg;

	finish(op, &(struct provider_answer){.result = PROVIDER_FAILED, .e = &op->err});
}

struct credentials *provider_process_read(struct slice output, struct err *e)
{
	struct json *j = json_parse(output);
	struct credentials_parts parts = {.provider = NAME, .renewable = true};
	struct credentials *c = NULL;
	double version;

	if (!j) {
		err_set(e, ERR_CREDENTIALS, NAME ": the program printed no JSON object");
	} else if (!json_number(j, "Version", &version) || version != 1) {
		err_set(e, ERR_CREDENTIALS, NAME ": the program's answer is not of Version 1");
	} else if (json_time(j, "Expiration", JSON_SEC, &parts.expires_wall_us) < 0) {
		err_set(e, ERR_CREDENTIALS, NAME ": the answer's Expiration is not a date as in RFC 3339");
	} else {
		parts.access_key = json_string(j, "AccessKeyId");
		parts.secret_key = json_string(j, "SecretAccessKey");
		parts.session_token = json_string(j, "SessionToken");
		parts.account_id = json_string(j, "AccountId");
		c = credentials_new(&parts, e);
	}
	json_free(j);
	return c;
}

static void ended(void *arg, const struct child_result *r)
{
	struct provider_process_op *op = arg;
	struct provider_answer a = {.result = PROVIDER_FAILED, .e = &op->err};

	op->child = NULL;
	if (r->end == CHILD_EXITED && r->status == 0) {
		a.creds = provider_process_read(r->output, &op->err);
	} else {
		errno = r->status;
		if (r->end == CHILD_NOT_STARTED)
			err_set(&op->err, ERR_CREDENTIALS, NAME ": the program could not be started: %m");
		else if (r->end == CHILD_EXITED)
			err_set(&op->err, ERR_CREDENTIALS, NAME ": the program exited with status %d",
				r->status);
		else
			err_set(&op->err, ERR_CREDENTIALS, NAME ": the program %s", child_end_text(r->end));
		err_hint(&op->err,
			 "Run the credential_process of the profile by hand, as the user pgiam runs as.");
	}
	if (a.creds) {
		a.result = PROVIDER_CREDENTIALS;
		a.e = NULL;
	}
	finish(op, &a);
	credentials_unref(a.creds);
}

static struct provider_op *start(struct provider *base, provider_cb cb, void *arg)
{
	struct provider_process *p = (struct provider_process *)base;
	struct provider_process_op *op = mem_zalloc(sizeof(*op));
	char **argv = words_split(p->command, &op->err);

	op->base.provider = base;
	op->cb = cb;
	op->arg = arg;
	defer_init(&op->defer, p->loop, failed, op);
	if (argv) {
		struct child_opts o = {
			.argv = argv,
			.envp = environ, /* the program's own business is in it, not ours only */
			.deadline_us = DEADLINE_US,
			.max_output_bytes = OUTPUT_MAX,
		};
		op->child = child_start(p->loop, &o, ended, op);
	} else {
		err_prefix(&op->err, NAME);
		defer_set(&op->defer);
	}
	words_free(argv);
	return &op->base;
}

static void cancel(struct provider_op *base)
{
	struct provider_process_op *op = (struct provider_process_op *)base;

	child_cancel(op->child);
	defer_clear(&op->defer);
	free(op);
}

static void free_process(struct provider *p)
{
	free(p);
}

static const struct provider_ops ops = {.name = NAME, .start = start, .cancel = cancel, .free = free_process};

struct provider *provider_process_new(const struct provider_deps *d, const char *command)
{
	struct provider_process *p = mem_zalloc(sizeof(*p));

	p->base.ops = &ops;
	p->loop = d->loop;
	p->command = command;
	return &p->base;
}
