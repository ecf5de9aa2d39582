/* Prints the token alone on standard output, like `aws rds generate-db-auth-token`, and signs what it is
 * given, to the letter: it is the tool to find out with why a login fails. What looks wrong is said on
 * standard error. */
#include "config.h" /* for environ */
#include "cmd/cmd.h"
#include "cmd/cmd_identity.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "aws/aws.h"
#include "aws/date.h"
#include "aws/endpoint.h"
#include "aws/token_host.h"
#include "aws/token_kind.h"
#include "base/clock.h"
#include "base/harden.h"

#define PORT_DEFAULT "5432"

struct args {
	const char *host, *port, *user, *region, *at;
	struct aws_whose whose;
	bool help;
};

static const char help_text[] =
	"usage: pgiam token --host HOST [--port PORT] --user USER [--region REGION] [--at TIME] [OPTION]...\n"
	"\n"
	"Prints a token that logs USER in to the RDS, Aurora, RDS Proxy or Aurora DSQL endpoint HOST within 15\n"
	"minutes; its kind is told by HOST. Redshift takes none. Credentials are looked for as by `pgiam run`: in\n"
	"the environment, web identity, AWS profiles, a container's or the instance's role.\n"
	"\n"
	"  --host HOST      the endpoint's own name, signed as it is given (also --hostname)\n"
	"  --port PORT      the port the database listens on; default " PORT_DEFAULT "\n"
	"  --user USER      the database user (also --username)\n"
	"  --region REGION  default: from HOST, then AWS_REGION, AWS_DEFAULT_REGION, the profile, the instance\n"
	"  --at TIME        sign for this time and not for now, e.g. 2026-01-15T12:34:56Z\n"
	"\n" CMD_IDENTITY_HELP
	"\n"
	"The token is a password: mind where it goes. Warnings about it come on standard error.\n";

static void warning(const char *text)
{
	fprintf(stderr, "pgiam token: warning: %s\n", text);
}

static int usage(const char *what, const char *arg)
{
	fprintf(stderr, "pgiam token: %s%s; see `pgiam help token`\n", what, arg);
	return CMD_USAGE;
}

static int fail(const struct err *e)
{
	const char *hint = err_hint_text(e);

	if (e->code == ERR_REGION)
		hint = "Give --region or set AWS_REGION.";
	if (e->code == ERR_CREDENTIALS)
		hint = e->hint; /* the table's names this command */

	fprintf(stderr, "pgiam token: %s\n", e->msg);
	if (e->detail[0])
		fprintf(stderr, "  %s\n", e->detail);
	if (hint[0])
		fprintf(stderr, "  %s\n", hint);
	return e->code == ERR_CONFIG || e->code == ERR_REGION ? CMD_USAGE : CMD_FAILED;
}

static int read_args(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
		{"host",     required_argument, NULL, 'H'},
		{"hostname", required_argument, NULL, 'H'},
		{"port",     required_argument, NULL, 'P'},
		{"user",     required_argument, NULL, 'U'},
		{"username", required_argument, NULL, 'U'},
		{"region",   required_argument, NULL, 'R'},
		{"at",       required_argument, NULL, 'A'},
		CMD_IDENTITY_FLAGS,
		{"help",     no_argument,       NULL, 'h'},
		{NULL,       0,                 NULL, 0  },
	};
	int c;

	optind = 0; /* start anew */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		switch (c) {
		case 'H': a->host = optarg; break;
		case 'P': a->port = optarg; break;
		case 'U': a->user = optarg; break;
		case 'R': a->region = optarg; break;
		case 'A': a->at = optarg; break;
		case 'h': a->help = true; break;
		case ':': return usage("a value is missing after ", argv[optind - 1]);
		default:
			if (!cmd_identity_flag(&a->whose, c, optarg))
				return usage("unknown option ", argv[optind - 1]);
			break;
		}
	}
	if (a->help)
		return CMD_OK;
	if (optind < argc)
		return usage("unexpected argument ", argv[optind]);
	if (!a->host || !*a->host)
		return usage("--host is missing", "");
	if (!a->user || !*a->user)
		return usage("--user is missing", "");
	return CMD_OK;
}

/* 0 if it is not a port. */
static uint16_t parse_port(const char *s)
{
	size_t n = strlen(s);
	unsigned long v;

	if (n == 0 || n > 5 || strspn(s, "0123456789") != n)
		return 0;
	v = strtoul(s, NULL, 10);
	return v <= UINT16_MAX ? (uint16_t)v : 0;
}

static void warn_about(const struct token_request *rq, const char *region_warning)
{
	char text[512], when[DATE_RFC3339_SIZE];
	int64_t expires = rq->creds->expires_wall_us;
	unsigned step = 0;

	while (token_host_warning(rq->host, &step, text, sizeof(text)))
		warning(text);
	if (region_warning[0])
		warning(region_warning);
	if (expires && expires < rq->wall_us + (int64_t)TOKEN_LIFE_SEC * 1000000) {
		date_format_rfc3339(expires, when);
		snprintf(text, sizeof(text),
			 "the credentials expire at %s, before the token, which ends with them", when);
		warning(text);
	}
	if (strncmp(rq->creds->access_key, "ASIA", 4) == 0 && !secret_is_set(&rq->creds->session_token))
		warning("the access key is temporary (ASIA...), but AWS_SESSION_TOKEN is not set");
}

/* Past stdio, whose buffer would keep a copy. */
static int print_secret(struct slice s)
{
	while (s.n > 0) {
		ssize_t n = write(STDOUT_FILENO, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			perror("pgiam token: standard output");
			return CMD_FAILED;
		}
		s = slice_of(s.p + n, s.n - (size_t)n);
	}
	return CMD_OK;
}

/* Redshift hands out users with passwords, which no signature stands for. */
static int check_host(const char *host, struct err *e)
{
	switch (endpoint_parse(host).kind) {
	case ENDPOINT_REDSHIFT:
		err_set(e, ERR_CONFIG, "%s is a Redshift cluster, and there are no tokens for Redshift", host);
		err_hint(e, "Let `pgiam run` log in (auth=redshift), or run: aws redshift get-cluster-credentials "
			    "--cluster-identifier %.*s --db-user USER", (int)strcspn(host, "."), host);
		return -1;
	case ENDPOINT_REDSHIFT_SERVERLESS:
		err_set(e, ERR_CONFIG, "%s is a workgroup of Redshift Serverless, and there are no tokens for Redshift", host);
		err_hint(e, "Let `pgiam run` log in (auth=redshift), or run: aws redshift-serverless get-credentials "
			    "--workgroup-name %.*s", (int)strcspn(host, "."), host);
		return -1;
	case ENDPOINT_OTHER:
	case ENDPOINT_RDS_INSTANCE:
	case ENDPOINT_AURORA_WRITER:
	case ENDPOINT_AURORA_READER:
	case ENDPOINT_AURORA_CUSTOM:
	case ENDPOINT_AURORA_LIMITLESS:
	case ENDPOINT_AURORA_GLOBAL:
	case ENDPOINT_RDS_PROXY:
	case ENDPOINT_DSQL: break;
	}
	return 0;
}

/* The host name says what takes the token; of any other it is signed for RDS. */
static int mint(const struct token_request *rq, struct buf *token, struct err *e)
{
	enum aws_token kind = AWS_TOKEN_RDS;

	token_kind_of_host(rq->host, &kind);
	return token_kind_get(kind)->mint(rq, token, e);
}

/* As `pgiam run` does, unless somebody names the time. */
static void correct_clock(struct token_request *rq, int64_t skew_us)
{
	char text[200], span[DATE_SPAN_SIZE];

	if (skew_us == 0)
		return;
	rq->wall_us += skew_us;
	date_format_span(skew_us, span);
	snprintf(text, sizeof(text), "this machine's clock is %s %s AWS's; the token is signed for AWS's time", span,
		 skew_us > 0 ? "behind" : "ahead of");
	warning(text);
}

static int print_token(struct token_request *rq, struct args *a, struct err *e)
{
	const struct aws_region_from from = {
		.named = a->region, .host = rq->host, .env = a->whose.env, .profile = a->whose.identity.profile};
	struct credentials *creds = NULL;
	char region[64], region_warning[256];
	struct buf token;
	int64_t skew_us = 0;
	int rc = CMD_FAILED;

	buf_init_secret(&token, TOKEN_MAX + 1);
	if (aws_region_once(&from, region, region_warning, e) == 0) {
		a->whose.identity.region = rq->region = region;
		rq->creds = creds = aws_credentials_once(&a->whose, &skew_us, e);
	}
	if (creds && !a->at)
		correct_clock(rq, skew_us);
	if (!creds || mint(rq, &token, e) != 0) {
		rc = fail(e);
	} else {
		warn_about(rq, region_warning);
		buf_add_char(&token, '\n');
		rc = print_secret(buf_slice(&token));
	}
	buf_free(&token);
	credentials_unref(creds);
	return rc;
}

int cmd_token(int argc, char **argv)
{
	struct args a = {.port = PORT_DEFAULT, .whose.env = (const char *const *)environ};
	struct token_request rq = {.wall_us = clock_wall_us(clock_system())};
	struct err e;
	int rc;

	if (harden_process(&e) != 0)
		return fail(&e);
	rc = read_args(argc, argv, &a);
	if (rc != CMD_OK)
		return rc;
	if (a.help) {
		fputs(help_text, stdout);
		return CMD_OK;
	}
	rq.host = a.host;
	rq.user = a.user;
	rq.port = parse_port(a.port);
	if (rq.port == 0)
		return usage("not a port: ", a.port);
	if (a.at && date_parse_rfc3339(slice_str(a.at), &rq.wall_us) != 0)
		return usage("--at wants a time like 2026-01-15T12:34:56Z, not ", a.at);
	if (check_host(a.host, &e) != 0 || cmd_identity_finish(&a.whose, &e) != 0)
		return fail(&e);
	return print_token(&rq, &a, &e);
}
