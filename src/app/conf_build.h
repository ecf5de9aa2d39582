/* From values to a configuration: the second half of loading, for conf.c. */
#ifndef PGIAM_APP_CONF_BUILD_H
#define PGIAM_APP_CONF_BUILD_H

#include "app/conf_problem.h"
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

struct conf_builder {
	const struct conf_input *in;
	struct conf_problems *p;
	struct conf *c; /* with c->priv->values filled in */
};

/* Tells of a wrong setting, naming its place and, if db is not NULL, its database. */
void conf_build_bad(struct conf_builder *b, const struct conf_database *db, enum option_id id, struct err *e);

/* A setting's text, NULL if it is not set or empty. db may be NULL. */
const char *conf_build_text(const struct conf_builder *b, const struct conf_database *db, enum option_id id);
int64_t conf_build_num(const struct conf_builder *b, const struct conf_database *db, enum option_id id);

/* TLS for clients, into priv->opts. */
void conf_build_client_tls(struct conf_builder *b);

/* TLS to a database's server; returns a reference, or NULL when what is wrong was told. */
struct tls_live *conf_build_server_tls(struct conf_builder *b, const struct conf_database *db, enum tls_verify verify,
				       bool direct);

/* Everything that is not a database's. */
void conf_build_global(struct conf_builder *b);

/* How clients prove who they are. */
void conf_build_auth(struct conf_builder *b);

/* The databases, their secrets and TLS contexts. */
void conf_build_targets(struct conf_builder *b);
void conf_build_target_free(struct conf_target *t);

#endif
