/* What a configuration is made of and only conf*.c see: the option values, and targets with all of the limits. */
#ifndef PGIAM_APP_CONF_PRIVATE_H
#define PGIAM_APP_CONF_PRIVATE_H

#include "app/conf.h"
#include "app/conf_values.h"

/* A database's target before its limits are shared out. */
struct conf_target {
	struct target whole;  /* as struct target, with all of the limits; owns what it points to */
	const char *tls_text; /* "verify-full", "none": for people; borrowed from a literal */
	const char *auth_text;
};

struct conf_private {
	struct conf_values values;
	struct conf_target *targets; /* "*" last */
	size_t target_count;
	struct proxy_opts opts;                /* with all of the limits; without targets */
	char **client_users, **ignore_startup; /* what opts points to; NULL-terminated */
	char **http_host_names;                /* the same */
	uid_t *client_uids;
};

#endif
