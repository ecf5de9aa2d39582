/* How clients prove who they are: what app says of it, from auth_type and its companions. */
#ifndef PGIAM_PROXY_AUTH_H
#define PGIAM_PROXY_AUTH_H

#include "proxy/auth_users.h"

struct auth_store;

/* auth_type, in the order of the option's values. */
enum auth_type {
	AUTH_TYPE_TRUST,
	AUTH_TYPE_PLAIN,
	AUTH_TYPE_MD5,
	AUTH_TYPE_SCRAM,
	AUTH_TYPE_CERT,
	AUTH_TYPE_PEER,
	AUTH_TYPE_HBA,
	AUTH_TYPE_REJECT, /* only a line of auth_hba_file can say so */
};

struct auth_opts {
	enum auth_type type;
	struct auth_store *store;          /* the files; one for all workers; NULL: none is needed */
	unsigned char key[AUTH_KEY_BYTES]; /* random, one for all workers (auth_users_secret) */
};

#endif
