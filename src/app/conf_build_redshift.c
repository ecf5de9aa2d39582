/* Temporary credentials of Redshift: of which cluster or workgroup, and whose. The endpoint's own name says the first;
 * user= says the second, and where it is not set the identity does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "app/conf_build_target.h"
#include "aws/endpoint.h"
#include "aws/token_kind.h"
#include "base/mem.h"

/* The first label of the endpoint's name. */
static char *first_label(const char *host)
{
	return mem_strndup(host, strcspn(host, "."));
}

/* A name that people gave their cluster. What is AWS's own and not known for an endpoint of Redshift (PrivateLink's; those of
 * the ISO partitions, whose form is not public) is none. */
static bool is_custom_domain(const char *host)
{
	return strchr(host, '.') && redshift_name_ok(host) && !endpoint_is_aws(host);
}

/* An endpoint of another service? Then that is told. */
static bool is_of_others(struct targets *ts, const char *host)
{
	enum aws_token token;
	char hint[32];

	if (!token_kind_of_host(host, &token))
		return false;
	snprintf(hint, sizeof(hint), "Use auth=%s.", token_kind_get(token)->auth);
	conf_build_target_bad(ts, OPT_AUTH, hint, "%s has no credentials of Redshift: it is an endpoint of %s", host,
			      token_kind_get(token)->server);
	return true;
}

/* Is it Serverless, and what is its name? NULL, and told, if that is not known. */
static char *find_name(struct targets *ts, bool *serverless)
{
	const char *host = ts->t->iam_host ? ts->t->iam_host : ts->t->host,
		   *cluster = conf_build_target_text(ts, OPT_CLUSTER_ID),
		   *workgroup = conf_build_target_text(ts, OPT_WORKGROUP);
	enum endpoint_kind kind = endpoint_parse(host).kind;
	enum option_id id = workgroup ? OPT_WORKGROUP : OPT_CLUSTER_ID;
	char *name = NULL;

	*serverless = workgroup || kind == ENDPOINT_REDSHIFT_SERVERLESS;
	if (cluster && workgroup)
		conf_build_target_bad(ts, OPT_CLUSTER_ID, NULL, "is given, and workgroup as well");
	else if (cluster && *serverless)
		conf_build_target_bad(ts, OPT_CLUSTER_ID, "Use workgroup.", "is given, and %s is Redshift Serverless", host);
	else if (cluster || workgroup)
		name = mem_strdup(workgroup ? workgroup : cluster);
	else if (kind == ENDPOINT_REDSHIFT || kind == ENDPOINT_REDSHIFT_SERVERLESS)
		name = first_label(host);
	else if (is_of_others(ts, host))
		return NULL;
	else if (is_custom_domain(host))
		name = mem_strdup(host);
	else
		conf_build_target_bad(ts, OPT_CLUSTER_ID,
				      "Set cluster_id to the cluster's name, or workgroup to that of Redshift Serverless.",
				      "is missing: %s is not the name of a Redshift endpoint", host);
	if (name && !redshift_name_ok(name))
		conf_build_target_bad(ts, id, NULL, "\"%s\" is not the name of a cluster or workgroup", name);
	return name;
}

/* What only GetClusterCredentials can. */
static void check_user(struct targets *ts, enum redshift_call call)
{
	static const enum option_id ids[] = {OPT_DB_GROUPS, OPT_AUTO_CREATE};

	if (call == REDSHIFT_SERVERLESS && ts->t->user)
		conf_build_target_bad(ts, OPT_USER, "Leave it out.",
				      "Redshift Serverless itself says who logs in: the user of the AWS identity");
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (call != REDSHIFT_USER && ts->db->set[ids[i]].text)
			conf_build_target_bad(ts, ids[i], NULL,
					      "is about a user of a cluster, and user is not set for one");
}

bool conf_build_redshift(struct targets *ts, struct conf_secret *s)
{
	struct redshift_request *rq = &s->redshift;
	bool serverless;

	s->redshift_name = find_name(ts, &serverless);
	rq->call = serverless ? REDSHIFT_SERVERLESS : ts->t->user ? REDSHIFT_USER : REDSHIFT_IDENTITY;
	check_user(ts, rq->call);
	if (ts->failed || !conf_build_target_region(ts, s, conf_build_target_text(ts, OPT_REGION))) {
		free(s->redshift_name);
		return false;
	}
	rq->region = s->region;
	rq->name = s->redshift_name;
	rq->db_name = conf_build_target_text(ts, OPT_DBNAME);
	rq->duration_sec = (unsigned)conf_build_target_num(ts, OPT_DURATION_SECONDS);
	if (rq->call != REDSHIFT_USER)
		return true;
	rq->db_user = conf_build_target_text(ts, OPT_USER);
	rq->db_groups = conf_build_target_text(ts, OPT_DB_GROUPS);
	rq->auto_create = conf_build_target_num(ts, OPT_AUTO_CREATE) != 0;
	return true;
}
