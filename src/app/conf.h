/* The whole configuration, loaded and cross-checked: immutable and refcounted. Flags win over the
 * environment, the environment over the file, the file over defaults. Only app knows options by name; the
 * layers below get their own small structs, made here. */
#ifndef PGIAM_APP_CONF_H
#define PGIAM_APP_CONF_H

#include "aws/aws.h"
#include "base/log.h"
#include "io/listener.h"
#include "io/resolver.h"
#include "proxy/opts.h"

/* One thing wrong, or worth knowing, found while loading; borrowed during the call. */
struct conf_problem {
	enum log_level level; /* LOG_ERROR: the configuration is refused; LOG_WARNING, LOG_INFO: it is not */
	const char *where;    /* "/etc/pgiam.ini:12", "PGIAM_HOST", "--host", "database \"x\"", or "" */
	const char *text;     /* begins with the option's name, where it is about one */
	const char *hint;     /* or "" */
};
typedef void (*conf_problem_cb)(void *arg, const struct conf_problem *p);

/* Where options come from. */
struct conf_input {
	const char *file;       /* NULL: none, --host or PGIAM_HOST must name the upstream */
	const char *const *env; /* as environ(7); NULL: none. Borrowed during conf_load */
	/* Options: "--name=value" or "--name", "value"; "--name" alone for yes-or-no options. A word that is
	 * not an option is the file. */
	int argc;
	char *const *argv;
	conf_problem_cb problem; /* is told of every problem; NULL: they go to the log */
	void *problem_arg;
};

struct conf_listen {
	struct addr addr;
	char *text;    /* "127.0.0.1:5432", "/run/pgiam/.s.PGSQL.5432" */
	bool optional; /* IPv6 nobody named: no reason to stop where the system has none (EAFNOSUPPORT,
			  EADDRNOTAVAIL) */
};

/* A distinct source of login secrets; target.secret_index points here. Identical settings share one. */
struct conf_secret {
	enum target_auth kind;
	enum aws_token token; /* TARGET_AUTH_IAM */
	char *region;         /* conf_auth_signs: the one to sign for, where the secret is, and the cluster; or
			       NULL: the instance's */
	char *secret_id;      /* of TARGET_AUTH_SECRET: name or ARN */
	char *redshift_name;  /* of TARGET_AUTH_REDSHIFT: the cluster's or workgroup's */
	struct redshift_request redshift; /* ... what to ask for; the name, the region and option values are borrowed */
	uint32_t identity;    /* conf_auth_signs: index of conf.identities */
	char *password_file; /* of TARGET_AUTH_PASSWORD; read at every login */
	char *password;      /* ... or the password itself: a secret */
};

/* Is AWS asked, or something signed, with AWS credentials? */
static inline bool conf_auth_signs(enum target_auth auth)
{
	return auth == TARGET_AUTH_IAM || auth == TARGET_AUTH_SECRET || auth == TARGET_AUTH_REDSHIFT;
}

/* A TLS context; databases with the same settings share one. */
struct conf_tls {
	struct tls_live *live;
	bool clients;          /* for clients, else for servers */
	const char *cert_file; /* that it shows; borrowed from the configuration; NULL: none, or a self-made one */
};

struct conf {
	int refs;   /* conf.c's */
	char *file; /* the file it was read from, or NULL */
	unsigned workers;
	struct conf_listen *listen; /* clients */
	size_t listen_count;
	bool listen_named, http_named; /* not defaults */
	bool remote_allowed;           /* other hosts may reach the clients' addresses: rule 7 */
	struct listen_opts listen_opts;
	struct conf_listen *http; /* metrics and probes */
	size_t http_count;
	const char *const *http_host_names; /* NULL-terminated, or NULL */
	struct conf_secret *secrets;
	size_t secret_count;
	struct aws_identity *identities; /* distinct; what they point to is borrowed from the option values */
	size_t identity_count;
	const char *credential_provider; /* the one of the chain, or NULL */
	struct conf_tls *tls; /* all there are */
	size_t tls_count;
	struct auth_store *auth; /* the files that say who may log in, or NULL; the workers' opts have it, too */
	struct resolver_opts resolver;
	enum log_level log_level;
	enum log_format log_format;
	char *logfile;                /* NULL: stderr */
	char *pidfile;                /* NULL: none */
	uint64_t shutdown_timeout_us; /* how long SIGTERM lets transactions finish */
	struct conf_private *priv;    /* conf_private.h */
};

/* 0 and *out owned, or -1 with e naming file, line, option and what is wrong: the first error, where there
 * are several (ERR_CONFIG; ERR_USAGE for the command line's). Loads CA files and certificates too, so that a
 * bad one is told here. log may be NULL. */
int conf_load(const struct conf_input *in, struct log *log, struct conf **out, struct err *e);
struct conf *conf_ref(struct conf *c); /* thread-safe */
void conf_unref(struct conf *c);

/* Rule 7, for a client address: one that other hosts can reach needs remote_allowed. 0, or -1 with e set. */
int conf_may_listen(const struct conf *c, const struct addr *a, struct err *e);

/* What worker `index` of conf->workers gets: its shares of the limits. Holds a reference to c. */
struct conf_worker {
	struct conf *conf;
	struct proxy_opts opts;
};
struct conf_worker *conf_worker_new(struct conf *c, unsigned index);
void conf_worker_free(struct conf_worker *w);

/* For `pgiam check`: what would be served, in words, and the shares of several workers. */
int conf_describe(struct conf *c, struct buf *out);

#endif
