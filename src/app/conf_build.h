/* From values to a configuration: the parts of the second half of loading, for conf_build.c and for each other. */
#ifndef PGIAM_APP_CONF_BUILD_H
#define PGIAM_APP_CONF_BUILD_H

#include "app/conf_builder.h"
#include "app/conf_private.h"

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

#endif
