/* What becomes of a server connection when its client is gone: one pure decision, one table, a test for every row. */
#ifndef PGIAM_PROXY_POLICY_H
#define PGIAM_PROXY_POLICY_H

#include <stdbool.h>

enum policy_action {
	POLICY_CLOSE,    /* state is unknown or not worth saving */
	POLICY_DRAIN,    /* read and drop what is still owed, then ask again */
	POLICY_ROLLBACK, /* end the abandoned transaction, then ask again */
	POLICY_RESET,    /* run the reset query, then it is idle */
	POLICY_IDLE,     /* may serve the next client as it is */
};

struct policy_input {
	bool aligned;     /* the last message to the server was complete */
	bool closed;      /* everything owed comes without more from the client (inflight_closed) */
	bool idle;        /* nothing is owed (inflight_idle) */
	char tx;          /* 'I', 'T' or 'E': the last ReadyForQuery */
	bool dedicated;   /* a replication connection: never shared */
	bool ending;      /* too old, told to close, server said FATAL */
	bool clean;       /* no client has used it since the last reset, or there is no reset query */
};

enum policy_action policy_released(const struct policy_input *in);

#endif
