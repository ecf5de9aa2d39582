/* One row a call. What goes into a body is in the order of the API's model, as AWS's own clients write it. */
#include "aws/redshift.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "aws/redshift_reply.h"
#include "aws/region_finder.h"
#include "aws/service_call.h"
#include "base/enc.h"
#include "base/mem.h"

#define NAME_MAX_BYTES 64
#define LABEL_MAX_BYTES 63
#define DOMAIN_MAX_BYTES 253
#define BODY_MAX       REDSHIFT_KEY_MAX /* of options, none of which is longer than a line of a file, perhaps as %XX */

static const struct service_hint cluster_hints[] = {
	{"ClusterNotFound", "Is cluster_id right (not set: the first label of the host name, or a custom domain name as a "
			    "whole), and the region?"},
	{"AccessDenied", "The credentials need redshift:GetClusterCredentials on the cluster's dbuser and dbname; with "
			 "auto_create redshift:CreateClusterUser, with db_groups redshift:JoinGroup as well. Without user= "
			 "it is redshift:GetClusterCredentialsWithIAM."},
	{"UnsupportedOperation", "Is the cluster available?"},
	{NULL, NULL},
};

static const struct service_hint serverless_hints[] = {
	{"ResourceNotFoundException", "Is workgroup right (not set: the first label of the host name), and the region?"},
	{"AccessDeniedException", "The credentials need redshift-serverless:GetCredentials on the workgroup."},
	{NULL, NULL},
};

static void query_body(const struct redshift_request *rq, struct buf *out);
static void json_body(const struct redshift_request *rq, struct buf *out);

static const struct api {
	const char *what;
	enum service_id service;
	const char *content_type, *target; /* target: x-amz-target, or NULL */
	void (*body)(const struct redshift_request *rq, struct buf *out);
	struct secret_value *(*parse)(const char *call, struct slice reply, const struct mask *mask, struct err *e);
	const struct service_hint *hints;
} clusters = {.what = "cluster",
	      .service = SERVICE_REDSHIFT,
	      .content_type = "application/x-www-form-urlencoded; charset=utf-8",
	      .body = query_body,
	      .parse = redshift_reply_xml,
	      .hints = cluster_hints},
  workgroups = {.what = "workgroup",
		.service = SERVICE_REDSHIFT_SERVERLESS,
		.content_type = "application/x-amz-json-1.1",
		.target = "RedshiftServerless.GetCredentials",
		.body = json_body,
		.parse = redshift_reply_json,
		.hints = serverless_hints};

static const struct {
	const char *name, *who;
	const struct api *api;
} calls[] = {
	[REDSHIFT_USER] = {"GetClusterCredentials", "redshift GetClusterCredentials", &clusters},
	[REDSHIFT_IDENTITY] = {"GetClusterCredentialsWithIAM", "redshift GetClusterCredentialsWithIAM", &clusters},
	[REDSHIFT_SERVERLESS] = {"GetCredentials", "redshift-serverless GetCredentials", &workgroups},
};

const char *redshift_call_name(enum redshift_call call)
{
	return calls[call].name;
}

static bool is_word(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum(s.p[i]) && s.p[i] != '-')
			return false;
	return s.n > 0;
}

static bool is_label(struct slice s)
{
	return is_word(s) && s.n <= LABEL_MAX_BYTES && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

/* Of two labels or more; no IP address, whose last one is a number. */
static bool is_domain(const char *name)
{
	const char *last = strrchr(name, '.');
	size_t n;

	if (!last || strlen(name) > DOMAIN_MAX_BYTES || strspn(last + 1, "0123456789") == strlen(last + 1))
		return false;
	for (; is_label(slice_of(name, n = strcspn(name, "."))); name += n + 1)
		if (!name[n])
			return true;
	return false;
}

bool redshift_name_ok(const char *name)
{
	return (is_word(slice_str(name)) && strlen(name) <= NAME_MAX_BYTES) || is_domain(name);
}

/* Of a cluster or workgroup the name has no dot. */
static bool is_custom(const struct redshift_request *rq)
{
	return strchr(rq->name, '.') != NULL;
}

void redshift_text(const struct redshift_request *rq, struct buf *out)
{
	buf_printf(out, "the Redshift %s %s%s in %s", calls[rq->call].api->what, is_custom(rq) ? "at " : "", rq->name,
		   region_finder_text(rq->region));
	if (rq->call != REDSHIFT_USER)
		return;
	buf_add_str(out, ", user ");
	enc_printable(out, slice_str(rq->db_user), 64);
}

/* ---- the body ---- */

static void add(struct buf *out, const char *name, struct slice value)
{
	buf_printf(out, "&%s=", name);
	enc_percent(out, value);
}

/* Blanks around a name are not part of it. */
static void add_groups(struct buf *out, const char *groups)
{
	unsigned number = 0;

	for (const char *end; *groups; groups = *end ? end + 1 : end) {
		size_t n;

		groups += strspn(groups, " ");
		end = groups + strcspn(groups, ",");
		for (n = (size_t)(end - groups); n > 0 && groups[n - 1] == ' '; n--)
			;
		if (n == 0)
			continue;
		buf_printf(out, "&DbGroups.DbGroup.%u=", ++number);
		enc_percent(out, slice_of(groups, n));
	}
}

static void query_body(const struct redshift_request *rq, struct buf *out)
{
	bool user = rq->call == REDSHIFT_USER;

	buf_printf(out, "Action=%s&Version=2012-12-01", calls[rq->call].name);
	if (user)
		add(out, "DbUser", slice_str(rq->db_user));
	if (rq->db_name)
		add(out, "DbName", slice_str(rq->db_name));
	add(out, is_custom(rq) ? "CustomDomainName" : "ClusterIdentifier", slice_str(rq->name));
	if (rq->duration_sec)
		buf_printf(out, "&DurationSeconds=%u", rq->duration_sec);
	if (user)
		buf_printf(out, "&AutoCreate=%s", rq->auto_create ? "true" : "false");
	if (user && rq->db_groups)
		add_groups(out, rq->db_groups);
}

static void add_json(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "\"%s\": \"", name);
	enc_json(out, slice_str(value), BODY_MAX);
	buf_add_char(out, '"');
}

static void json_body(const struct redshift_request *rq, struct buf *out)
{
	buf_add_char(out, '{');
	add_json(out, is_custom(rq) ? "customDomainName" : "workgroupName", rq->name);
	if (rq->db_name) {
		buf_add_str(out, ", ");
		add_json(out, "dbName", rq->db_name);
	}
	if (rq->duration_sec)
		buf_printf(out, ", \"durationSeconds\": %u", rq->duration_sec);
	buf_add_char(out, '}');
}

void redshift_body(const struct redshift_request *rq, struct buf *out)
{
	calls[rq->call].api->body(rq, out);
}

struct secret_value *redshift_answer(enum redshift_call call, struct slice body, const struct mask *mask, struct err *e)
{
	return calls[call].api->parse(calls[call].name, body, mask, e);
}

void redshift_key(const struct redshift_request *rq, struct buf *out)
{
	buf_printf(out, "redshift %s %s ", calls[rq->call].name, region_finder_text(rq->region));
	redshift_body(rq, out);
}

bool redshift_same(const struct redshift_request *a, const struct redshift_request *b)
{
	struct buf one, other;
	bool same;

	buf_init(&one, BODY_MAX);
	buf_init(&other, BODY_MAX);
	redshift_key(a, &one);
	redshift_key(b, &other);
	same = slice_eq(buf_slice(&one), buf_slice(&other));
	buf_free(&one);
	buf_free(&other);
	return same;
}

/* ---- the reader ---- */

struct redshift {
	struct secret_reader base; /* first */
	struct provider_deps deps;
	struct redshift_request rq; /* its strings are the next */
	char *region, *profile, *name, *db_name, *db_user, *db_groups;
	struct service_call *call; /* non-NULL exactly during a reading */
	secret_reader_cb cb;
	void *arg;
};

static struct redshift *redshift_of(struct secret_reader *r)
{
	return (struct redshift *)r; /* its first member */
}

static void heard(void *arg, const struct call_answer *a)
{
	struct redshift *r = arg;
	struct secret_reader_answer out = {.e = a->e, .cause = a->cause, .retry_after_us = a->retry_after_us};
	struct secret_value *v = NULL;
	struct err e;

	r->call = NULL;
	if (a->reply) {
		v = redshift_answer(r->rq.call, a->reply->body, a->mask, &e);
		if (!v)
			err_prefix(&e, "%s", calls[r->rq.call].who);
		out = (struct secret_reader_answer){.value = v, .e = v ? NULL : &e, .cause = a->cause};
	}
	r->cb(r->arg, &out);
	secret_value_unref(v);
}

static void redshift_read(struct secret_reader *base, struct credentials *signer, const struct secret_value *last,
			  secret_reader_cb cb, void *arg)
{
	struct redshift *r = redshift_of(base);
	const struct api *api = calls[r->rq.call].api;
	struct buf body;
	struct err e;

	r->cb = cb;
	r->arg = arg;
	buf_init(&body, BODY_MAX);
	redshift_body(&r->rq, &body);
	if (body.full) {
		err_set(&e, ERR_CREDENTIALS, "%s: the names are too long", calls[r->rq.call].who);
		r->call = service_call_refuse(&r->deps, &e, heard, r);
	} else {
		r->call = service_call_start(&r->deps,
					     &(struct service_request){
						     .service = api->service,
						     .who = calls[r->rq.call].who,
						     .region = r->rq.region,
						     .profile = r->profile,
						     .content_type = api->content_type,
						     .header = {api->target ? "x-amz-target" : NULL, api->target},
						     .body = buf_slice(&body),
						     .known = secret_value_password(last),
						     .signer = signer,
						     .hints = api->hints,
					     },
					     heard, r);
	}
	buf_free(&body);
}

static void redshift_cancel(struct secret_reader *base)
{
	struct redshift *r = redshift_of(base);

	service_call_cancel(r->call);
	r->call = NULL;
}

static void redshift_free(struct secret_reader *base)
{
	struct redshift *r = redshift_of(base);

	free(r->region);
	free(r->profile);
	free(r->name);
	free(r->db_name);
	free(r->db_user);
	free(r->db_groups);
	free(r);
}

struct secret_reader *redshift_reader_new(const struct provider_deps *d, const struct redshift_request *rq,
					  const char *profile)
{
	static const struct secret_reader_ops ops = {
		.read = redshift_read, .cancel = redshift_cancel, .free = redshift_free};
	struct redshift *r = mem_zalloc(sizeof(*r));

	r->base.ops = &ops;
	r->deps = *d;
	r->rq = *rq;
	r->rq.region = r->region = mem_strdup(rq->region);
	r->profile = mem_strdup(profile);
	r->rq.name = r->name = mem_strdup(rq->name);
	r->rq.db_name = r->db_name = mem_strdup(rq->db_name);
	r->rq.db_user = r->db_user = mem_strdup(rq->db_user);
	r->rq.db_groups = r->db_groups = mem_strdup(rq->db_groups);
	return &r->base;
}
