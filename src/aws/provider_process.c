/* credential_process of a profile: a program prints credentials as JSON. What it prints never reaches a
 * message, nor does what it writes to its standard error: either may be a secret. Source: AWS SDKs and Tools
 * Reference Guide, "Process credential provider". */
#include "config.h" /* for environ */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "aws/json.h"
#include "aws/later.h"
#include "aws/provider_profile.h"
#include "aws/words.h"
#include "base/mem.h"
#include "io/child.h"

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
	struct later later;
	struct child *child;
};

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

static void hint(struct err *e)
{
	err_hint(e, "Run the credential_process of the profile by hand, as the user pgiam runs as: it has to print "
		    "{\"Version\": 1, \"AccessKeyId\": ..., \"SecretAccessKey\": ...}, and nothing else.");
}

static void ended(void *arg, const struct child_result *r)
{
	struct provider_process_op *op = arg;
	struct err *e = &op->later.err;
	struct provider_answer a = {.result = PROVIDER_FAILED, .e = e};
	struct credentials *creds = NULL;

	op->child = NULL;
	if (r->end == CHILD_EXITED && r->status == 0) {
		creds = provider_process_read(r->output, e);
	} else {
		errno = r->status;
		if (r->end == CHILD_NOT_STARTED)
			err_set(e, ERR_CREDENTIALS, NAME ": the program could not be started: %m");
		else if (r->end == CHILD_EXITED)
			err_set(e, ERR_CREDENTIALS, NAME ": the program exited with status %d", r->status);
		else
			err_set(e, ERR_CREDENTIALS, NAME ": the program %s", child_end_text(r->end));
	}
	if (creds) {
		later_give(&op->later, creds);
	} else {
		hint(e);
		later_finish(&op->later, &a);
	}
}

static struct provider_op *start(struct provider *base, provider_cb cb, void *arg)
{
	struct provider_process *p = (struct provider_process *)base;
	struct provider_process_op *op = later_new(sizeof(*op), base, p->loop, NULL, cb, arg);
	char **argv = words_split(p->command, &op->later.err);

	if (argv) {
		struct child_opts o = {
			.argv = argv,
			.envp = environ, /* the program's own business is in it, not ours only */
			.deadline_us = DEADLINE_US,
			.max_output_bytes = OUTPUT_MAX,
		};
		op->child = child_start(p->loop, &o, ended, op);
	} else {
		err_prefix(&op->later.err, NAME);
		hint(&op->later.err);
		later_answer(&op->later, PROVIDER_FAILED, NULL);
	}
	words_free(argv);
	return &op->later.base;
}

static void cancel(struct provider_op *base)
{
	struct provider_process_op *op = (struct provider_process_op *)base;

	child_cancel(op->child);
	later_free(&op->later);
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
