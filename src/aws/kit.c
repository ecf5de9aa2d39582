/* A CA bundle that cannot be read is told at start, by its variable's name: libcurl would tell at the first
 * request, and name neither. */
#include "aws/kit.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "aws/env.h"
#include "aws/region_finder.h"
#include "aws/settings.h"
#include "base/mem.h"
#include "config.h"
#include "http/http_curl.h"

static const char *first_of(const char *const *env, const char *a, const char *b, const char *c)
{
	const char *value = env_get(env, a);

	if (!value && b)
		value = env_get(env, b);
	if (!value && c)
		value = env_get(env, c);
	return value;
}

static struct http_client *make_http(struct loop *l, const char *const *env, struct err *e)
{
	const char *all = first_of(env, "all_proxy", "ALL_PROXY", NULL);
	struct http_curl_opts o = {
		.ca_file = env_get(env, "AWS_CA_BUNDLE"),
		.https_proxy = first_of(env, "https_proxy", "HTTPS_PROXY", NULL),
		.no_proxy = first_of(env, "no_proxy", "NO_PROXY", NULL),
		.user_agent = "pgiam/" PACKAGE_VERSION,
	};

	if (o.ca_file && access(o.ca_file, R_OK) != 0) {
		err_set(e, ERR_CONFIG, "AWS_CA_BUNDLE: cannot read %s: %m", o.ca_file);
		return NULL;
	}
	o.https_proxy = o.https_proxy ? o.https_proxy : all;
	return http_curl_new(l, &o, e);
}

struct kit *kit_new(struct loop *l, const char *const *env, struct offload *offload, struct mailbox *mail,
		    struct err *e)
{
	struct kit *k = mem_zalloc(sizeof(*k));

	skew_init(&k->skew);
	k->deps = (struct provider_deps){
		.loop = l,
		.env = settings_env(env),
		.offload = offload,
		.mail = mail,
		.skew = &k->skew,
	};
	k->deps.http = make_http(l, k->deps.env, e);
	if (!k->deps.http) {
		kit_free(k);
		return NULL;
	}
	k->deps.region = region_finder_new(&k->deps);
	return k;
}

void kit_free(struct kit *k)
{
	if (!k)
		return;
	region_finder_free(k->deps.region);
	http_client_free(k->deps.http);
	env_free(k->deps.env);
	free(k);
}
