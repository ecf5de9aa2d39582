/* Names are compared as PostgreSQL compares those of settings, in any case: else one that is refused, or left out, would pass by
 * being written otherwise. */
#include "proxy/startup_policy.h"

#include <string.h>
#include <strings.h>
#include "pg/startup_options.h"

static bool in_list(const char *const *list, const char *name)
{
	for (; list && *list; list++)
		if (strcasecmp(*list, name) == 0)
			return true;
	return false;
}

static void add_all(struct params *out, const struct params *from)
{
	for (size_t i = 0; i < from->n; i++)
		params_set(out, slice_str(from->v[i].name), slice_str(from->v[i].value));
}

int startup_policy(const struct profile *p, const struct params *client, const struct params *defaults,
                   const char *const *ignore, struct params *out, struct err *e)
{
	struct params own;
	const char *options;
	int rc = -1;

	params_init(&own);
	/* PostgreSQL applies `options` first and the other parameters over it. */
	options = params_get(client, "options");
	if (options && !p->options && !in_list(ignore, "options") && startup_options_parse(options, &own, e) != 0) {
		err_prefix(e, "%s does not take the startup parameter \"options\", and its settings cannot be sent "
		              "another way", p->name);
		err_hint(e, "Write its settings as -c name=value, or leave it out with ignore_startup_parameters = options; the "
		            "session then runs without it.");
		goto out;
	}
	for (const char *const *name = ignore; name && *name; name++)
		params_del(&own, *name);
	for (size_t i = 0; i < client->n; i++) {
		const char *name = client->v[i].name;
		if (strcasecmp(name, "application_name") == 0 || in_list(ignore, name))
			continue;
		if (strcasecmp(name, "options") == 0 && !p->options)
			continue;
		params_set(&own, slice_str(name), slice_str(client->v[i].value));
	}
	for (size_t i = 0; p->startup && i < own.n; i++) {
		if (in_list(p->startup, own.v[i].name))
			continue;
		err_set(e, ERR_STARTUP_PARAM, "%s does not take the startup parameter \"%.64s\"", p->name, own.v[i].name);
		err_hint(e, "Do not set it when connecting, or leave it out with ignore_startup_parameters = %.64s; the "
		            "session then runs without it.", own.v[i].name);
		goto out;
	}
	add_all(out, defaults);
	add_all(out, &own);
	rc = 0;
out:
	params_free(&own);
	return rc;
}
