/* Which credentials pgiam finds, whose they are, and why it passed over those before: what somebody needs to
 * know when a login is refused. Never a secret. */
#include "config.h" /* for environ */
#include "cmd/cmd.h"
#include "cmd/cmd_identity.h"
#include "cmd/cmd_problem.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "app/conf.h"
#include "aws/aws.h"
#include "aws/credentials.h"
#include "aws/date.h"
#include "base/clock.h"
#include "base/harden.h"

static const char help_text[] =
	"usage: pgiam credentials FILE\n"
	"       pgiam credentials [--region REGION] [OPTION]...\n"
	"\n"
	"Says which AWS credentials pgiam finds, as `pgiam run` would in this environment: the provider, the "
	"key\n"
	"(masked), the account and the ARN they stand for (STS GetCallerIdentity, which needs no "
	"permission), when\n"
	"they expire, how far the clock is off, and why each provider before was passed over.\n"
	"With FILE, a configuration: so for each identity that its databases log in with.\n"
	"\n"
	"  --region REGION  of the STS endpoint; default: AWS_REGION, then AWS_DEFAULT_REGION, the profile, the\n"
	"                   instance\n"
	"\n" CMD_IDENTITY_HELP "\n"
	"exit status: 0 there are credentials and AWS knows them, 1 otherwise, 3 FILE is wrong: see `pgiam check`\n";

static void line(const char *name, const char *value)
{
	printf("%-9s %s\n", name, value);
}

static void print_expiry(int64_t expires_us, int64_t now_us)
{
	char when[DATE_RFC3339_SIZE], span[DATE_SPAN_SIZE];
	bool alive = expires_us > now_us;

	if (expires_us == 0) {
		line("expires", "never, as far as is known");
		return;
	}
	date_format_rfc3339(expires_us, when);
	date_format_span(expires_us - now_us, span);
	printf("%-9s %s (%s%s%s)\n", "expires", when, alive ? "in " : "", span, alive ? "" : " ago");
}

static void print_skew(int64_t skew_us)
{
	char span[DATE_SPAN_SIZE];

	if (skew_us == 0)
		return;
	date_format_span(skew_us, span);
	printf("%-9s this machine's is %s %s AWS's\n", "clock", span, skew_us > 0 ? "behind" : "ahead of");
}

static void print_skipped(const char *skipped)
{
	while (*skipped) {
		size_t n = strcspn(skipped, "\n");

		printf("%-9s %.*s\n", "skipped", (int)n, skipped);
		skipped += n + (skipped[n] == '\n');
	}
}

static void print(const struct aws_who *who)
{
	char mask[CREDENTIALS_MASK_SIZE];

	if (who->creds) {
		credentials_mask(who->creds, mask);
		line("provider", who->creds->provider);
		line("key", mask);
		line("account", who->account             ? who->account
				: who->creds->account_id ? who->creds->account_id
							 : "not known");
		line("arn", who->arn ? who->arn : "not known");
		print_expiry(who->creds->expires_wall_us, clock_wall_us(clock_system()) + who->skew_us);
	}
	print_skew(who->skew_us);
	print_skipped(who->skipped);
}

static void print_why(const struct err *e)
{
	const char *hint = e->hint; /* the table's names commands like this one */

	fprintf(stderr, "pgiam credentials: %s\n", e->msg);
	if (e->detail[0])
		fprintf(stderr, "  %s\n", e->detail);
	if (hint[0])
		fprintf(stderr, "  %s\n", hint);
}

static int show(const struct aws_whose *whose)
{
	struct aws_who who;
	int rc = aws_who_once(whose, &who);

	print(&who);
	fflush(stdout); /* why not, in its place behind it */
	if (rc != 0)
		print_why(&who.why);
	aws_who_free(&who);
	return rc == 0 ? CMD_OK : CMD_FAILED;
}

/* `pgiam check` tells the rest. */
static void on_problem(void *arg, const struct conf_problem *p)
{
	if (p->level == LOG_ERROR)
		cmd_problem(arg, p);
}

static void print_identity(const struct aws_identity *who)
{
	struct buf text;

	buf_init(&text, 4096);
	identity_text(who, &text);
	line("identity", buf_cstr(&text));
	buf_free(&text);
}

static int of_file(char *file, const char *const *env)
{
	const struct conf_input in = {.env = env, .argc = 1, .argv = &file, .problem = on_problem};
	struct conf *conf;
	struct err e;
	int worst = CMD_OK;

	if (conf_load(&in, NULL, &conf, &e) != 0)
		return e.code == ERR_USAGE ? CMD_USAGE : CMD_CONFIG;
	if (conf->identity_count == 0)
		printf("no database logs in with AWS credentials\n");
	for (size_t i = 0; i < conf->identity_count; i++) {
		struct aws_whose whose = {
			.env = env, .identity = conf->identities[i], .only_provider = conf->credential_provider};

		if (i > 0)
			putchar('\n');
		print_identity(&whose.identity);
		if (show(&whose) != CMD_OK)
			worst = CMD_FAILED;
	}
	conf_unref(conf);
	return worst;
}

int cmd_credentials(int argc, char **argv)
{
	static const struct option options[] = {
		{"region", required_argument, NULL, 'R'},
		CMD_IDENTITY_FLAGS,
		{"help",   no_argument,       NULL, 'h'},
		{NULL,     0,                 NULL, 0  },
	};
	struct aws_whose whose = {.env = (const char *const *)environ};
	struct err e;
	int c;

	if (harden_process(&e) != 0) {
		print_why(&e);
		return CMD_FAILED;
	}
	optind = 0; /* start anew */
	while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (c) {
		case 'R': whose.identity.region = optarg; break;
		case 'h': fputs(help_text, stdout); return CMD_OK;
		default:
			if (!cmd_identity_flag(&whose, c, optarg))
				return CMD_USAGE; /* getopt has said why */
			break;
		}
	}
	if (argc == 2 && optind == 1)
		return of_file(argv[1], whose.env);
	if (optind < argc) {
		fprintf(stderr,
			"pgiam credentials: unexpected argument %s: FILE stands alone; see `pgiam help credentials`\n",
			argv[optind]);
		return CMD_USAGE;
	}
	if (cmd_identity_finish(&whose, &e) != 0) {
		print_why(&e);
		return CMD_USAGE;
	}
	return show(&whose);
}
