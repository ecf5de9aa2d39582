/* Errors as values. A function that can fail takes `struct err *e`, returns 0, or -1 with
 * the code and a message set; on the way up each caller may put its context in front.
 * One table gives each code its SQLSTATE, metric label, class and hint; whoever
 * handles the error (ErrorResponse, log line, counter, doctor) reads that row. */
#ifndef PGIAM_BASE_ERR_H
#define PGIAM_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

/* X(code, sqlstate, label, class, hint or NULL). SQLSTATEs: PostgreSQL appendix A. */
#define ERR_TABLE(X)                                                                                          \
	X(ERR_NONE, "00000", "none", FINAL, NULL)                                                             \
	X(ERR_INTERNAL, "XX000", "internal", FINAL, "This is a defect of pgiam; please report it.")           \
	X(ERR_CONFIG, "F0000", "config", FINAL, NULL)                                                         \
	X(ERR_USAGE, "F0000", "usage", FINAL, NULL)                                                           \
	X(ERR_IO, "58030", "io", FINAL, NULL)                                                                 \
	X(ERR_LIMIT, "54000", "limit", FINAL, NULL)                                                           \
	/* the way to the server */                                                                           \
	X(ERR_RESOLVE, "08001", "resolve", AWAY, "Check the host name and this machine's DNS settings.")      \
	X(ERR_CONNECT, "08001", "connect", AWAY,                                                              \
	  "Check that the database is running and that security groups and routes let this machine reach it.") \
	X(ERR_CONNECT_TIMEOUT, "08001", "connect_timeout", BUSY,                                              \
	  "Nothing answered: check security groups, routes, and server_connect_timeout.")                     \
	X(ERR_TLS, "08001", "tls", FINAL, NULL)                                                               \
	X(ERR_TLS_REFUSED, "08001", "tls_refused", FINAL,                                                     \
	  "The server offers no TLS; pgiam sends no secret without it.")                                      \
	X(ERR_TLS_VERIFY, "08001", "tls_verify", FINAL,                                                       \
	  "Check server_tls_ca_file (RDS and Aurora need the RDS bundle, RDS Proxy and DSQL Amazon's public " \
	  "roots) and that host, or tls_server_name, is the name in the certificate.")                        \
	X(ERR_SERVER_CLOSED, "08006", "server_closed", BUSY, NULL)                                            \
	X(ERR_SERVER_PROTOCOL, "08P01", "server_protocol", FINAL, NULL)                                       \
	/* logging in */                                                                                      \
	X(ERR_AUTH_IAM, "28000", "auth_iam", REFUSED, NULL)                                                   \
	X(ERR_AUTH_NOT_IAM, "28000", "auth_not_iam", REFUSED,                                                 \
	  "Run: GRANT rds_iam TO the database user, or use auth=password for this database.")                 \
	X(ERR_AUTH_PASSWORD, "28P01", "auth_password", REFUSED, NULL)                                         \
	X(ERR_AUTH_METHOD, "28000", "auth_method", REFUSED, NULL)                                             \
	X(ERR_AUTH_UNSAFE, "28000", "auth_unsafe", FINAL,                                                     \
	  "pgiam sends a secret only over verified TLS (server_tls_sslmode = verify-full).")                  \
	X(ERR_LOGIN_TIMEOUT, "08001", "login_timeout", BUSY,                                                  \
	  "The server accepted the connection but did not finish the login within server_connect_timeout.")   \
	X(ERR_LOGIN_REFUSED, "08004", "login_refused", FINAL, NULL)                                           \
	X(ERR_LOGIN_QUEUE, "53300", "login_queue", OURS,                                                      \
	  "More logins are waiting than this database's login rate allows; see login_rate.")                  \
	X(ERR_CREDENTIALS, "28000", "credentials", FINAL,                                                     \
	  "Give pgiam AWS credentials; `pgiam credentials` says where it looks, and what it finds.")          \
	X(ERR_CREDENTIALS_AWAY, "57P03", "credentials_away", OURS,                                            \
	  "Where the credentials come from is away or overloaded; pgiam goes on asking.")                     \
	X(ERR_REGION, "28000", "region", FINAL, "Set region= for this database, or AWS_REGION.")              \
	/* clients */                                                                                         \
	X(ERR_CLIENT_PROTOCOL, "08P01", "client_protocol", FINAL, NULL)                                       \
	X(ERR_CLIENT_UNSUPPORTED, "0A000", "client_unsupported", FINAL, NULL)                                 \
	X(ERR_CLIENT_TIMEOUT, "08006", "client_timeout", FINAL, NULL)                                         \
	X(ERR_CLIENT_USER, "28000", "client_user", FINAL, NULL)                                               \
	X(ERR_NO_DATABASE, "3D000", "no_database", FINAL,                                                     \
	  "pgiam's configuration has no entry of this name in [databases], and none called *.")               \
	X(ERR_TOO_MANY_CLIENTS, "53300", "too_many_clients", FINAL, "See max_client_conn.")                   \
	X(ERR_TOO_MANY_POOLS, "53300", "too_many_pools", FINAL,                                               \
	  "Too many combinations of database, user and startup parameters; see max_pools.")                   \
	X(ERR_QUERY_WAIT, "08006", "query_wait_timeout", FINAL,                                               \
	  "No server connection became free in time; see query_wait_timeout and default_pool_size.")          \
	X(ERR_IDLE_TIMEOUT, "57P05", "client_idle_timeout", FINAL, "See client_idle_timeout.")                \
	X(ERR_SHUTDOWN, "57P01", "shutdown", FINAL, NULL)                                                     \
	X(ERR_STARTUP_PARAM, "0A000", "startup_parameter", FINAL, NULL)

enum err_code {
#define X(code, sqlstate, label, class, hint) code,
	ERR_TABLE(X)
#undef X
		ERR_CODE_COUNT
};

/* What the failure of a login says about the next one. */
enum err_class {
	ERR_CLASS_FINAL,    /* the same for everybody until somebody mends something */
	ERR_CLASS_REFUSED,  /* the server turned down this user, database or setting */
	ERR_CLASS_FULL,     /* it has no connection or memory left, for this user or at all */
	ERR_CLASS_AWAY,     /* nobody is there */
	ERR_CLASS_BUSY,     /* somebody is there, and too slow or overloaded */
	ERR_CLASS_STARTING, /* it starts, stops or recovers, and says so */
	ERR_CLASS_OURS,     /* it is on this side, and passes: too many logins at once, a secret still to come */
	ERR_CLASS_COUNT
};

struct err_info {
	const char *name;     /* "ERR_TLS" */
	const char *sqlstate; /* five characters */
	const char *label;    /* of metrics and logs */
	enum err_class class; /* err_class() knows more */
	const char *hint;     /* what to do, or NULL */
};

struct err {
	enum err_code code;
	char sqlstate[6]; /* a server's own SQLSTATE, or the table's */
	char msg[512];
	char detail[768]; /* "" if none */
	char hint[512];   /* "" = the table's */
	bool from_server; /* msg is the server's text */
};

const struct err_info *err_info(enum err_code code);

/* The class of the row, or where a server refused a login in its own words, of the SQLSTATE it gave. */
enum err_class err_class(const struct err *e);

/* Is the message for authenticated clients only? What a server says is, and what credentials are had with or where they come
 * from: ARNs, account ids, profiles, hosts. */
bool err_is_private(const struct err *e);

/* Is it worth another line of the log, after the last failure in the same row (NULL: it is the first)? The same again is,
 * now and then; *told_us is when a line was written last, and is set. */
bool err_is_news(const struct err *e, const struct err *last, uint64_t now_us, uint64_t *told_us);

/* Sets code, its SQLSTATE and the message; clears detail and hint. Returns -1, so that
 * `return err_set(...)` reads well. e may be NULL. Over-long text is cut at a character. "%m" is errno's
 * text. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same under another code, and with its SQLSTATE. */
void err_recode(struct err *e, enum err_code code);

/* Puts "context: " in front of the message. Returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Appends a sentence to the detail, or sets the hint. */
void err_detail(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The hint that holds: the error's own, else the table's, else "". */
const char *err_hint_text(const struct err *e);

#endif
