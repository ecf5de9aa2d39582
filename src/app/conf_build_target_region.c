/* Which region a database's credentials are signed for. */
#include "app/conf_build_target.h"
#include "base/mem.h"

bool conf_build_target_region(struct targets *ts, struct conf_secret *s, const char *named)
{
	static const char *const nothing[] = {NULL};
	const struct aws_region_from from = {
		.named = named,
		.host = ts->t->iam_host ? ts->t->iam_host : ts->t->host,
		.env = ts->b->in->env ? ts->b->in->env : nothing,
		.profile = conf_build_target_text(ts, OPT_AWS_PROFILE),
	};
	char region[64], warning[256] = "";
	struct err e;
	int rc = aws_region_find(&from, region, warning, &e);

	if (rc < 0) {
		conf_builder_bad(ts->b, ts->db, OPT_REGION, &e);
		ts->failed = true;
		return false;
	}
	if (rc > 0)
		conf_build_target_warn(ts, "region: nothing here tells it; the instance's metadata service will be asked");
	if (warning[0] && s->kind != TARGET_AUTH_SECRET) /* which may well be elsewhere */
		conf_build_target_warn(ts, "region: %s", warning);
	s->region = rc > 0 ? NULL : mem_strdup(region);
	return true;
}
