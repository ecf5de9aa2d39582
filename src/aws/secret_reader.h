/* One way to come by a database user and its password: a secret of Secrets Manager, temporary credentials of Redshift.
 * Lives on the control loop. What is read is kept by aws/secret_store.h, which asks again when its time has come. */
#ifndef PGIAM_AWS_SECRET_READER_H
#define PGIAM_AWS_SECRET_READER_H

#include "aws/provider.h"
#include "aws/secret_value.h"

/* Borrowed: valid during the callback. */
struct secret_reader_answer {
	struct secret_value *value; /* or NULL */
	const struct err *e;        /* then */
	enum provider_cause cause;
	uint64_t retry_after_us; /* the service's wish, 0 if none */
};

/* Comes once, never inside read, never after cancel. */
typedef void (*secret_reader_cb)(void *arg, const struct secret_reader_answer *a);

struct secret_reader;

struct secret_reader_ops {
	/* One reading, signed with these credentials; one at a time. last: what the one before brought, or NULL: a service
	   that says its password in an error is not quoted. Both stay until the end. */
	void (*read)(struct secret_reader *r, struct credentials *signer, const struct secret_value *last,
		     secret_reader_cb cb, void *arg);
	void (*cancel)(struct secret_reader *r); /* the reading, if one is under way */
	/* A server turned down what was read last: the next reading brings another, if there is one. May be NULL. */
	void (*refused)(struct secret_reader *r, const struct secret_value *v);
	void (*free)(struct secret_reader *r); /* with no reading under way */
};

/* Implementations embed this as their first member. */
struct secret_reader {
	const struct secret_reader_ops *ops;
};

#endif
