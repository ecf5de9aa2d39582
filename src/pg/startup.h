/* Packets without a type byte, at a connection's start: StartupMessage, SSLRequest, GSSENCRequest, CancelRequest
 * (PostgreSQL: Protocol, Message Formats; backend tcop ProcessStartupPacket). */
#ifndef PGIAM_PG_STARTUP_H
#define PGIAM_PG_STARTUP_H

#include "base/err.h"
#include "base/rd.h"
#include "pg/frame.h"
#include "pg/params.h"

#define STARTUP_VERSION(major, minor) ((uint32_t)(major) << 16 | (minor))
#define STARTUP_3_0                   STARTUP_VERSION(3, 0)
#define STARTUP_3_2                   STARTUP_VERSION(3, 2)
#define STARTUP_CODE_CANCEL           STARTUP_VERSION(1234, 5678)
#define STARTUP_CODE_SSL              STARTUP_VERSION(1234, 5679)
#define STARTUP_CODE_GSSENC           STARTUP_VERSION(1234, 5680)

#define STARTUP_CANCEL_KEY_MAX 256

enum startup_kind { STARTUP_MESSAGE, STARTUP_SSL, STARTUP_GSSENC, STARTUP_CANCEL };

struct startup {
	enum startup_kind kind;
	uint32_t version; /* of STARTUP_MESSAGE: major << 16 | minor */
	char *user, *database; /* owned; database defaults to user */
	char *replication;     /* owned; the raw value, NULL if absent */
	struct params params;  /* all others, in order, `options` included; no _pq_. names */
	struct params pq;      /* the _pq_.* protocol options */
	uint32_t cancel_pid;
	struct slice cancel_key; /* borrowed from the packet; 4..256 bytes */
};

/* How long is the packet at the front of in (length word included)? OK: *total is set, all of it may not be there yet.
 * BAD: below 8 or above MSG_MAX_STARTUP_PACKET. */
enum frame_status startup_length(struct slice in, size_t *total);

/* Parses one whole packet. 0, or -1 with e as PostgreSQL would say it: ERR_CLIENT_PROTOCOL ("invalid startup packet
 * layout: expected terminator as last byte"), ERR_CLIENT_UNSUPPORTED (major version), ERR_CLIENT_USER (no user).
 * Limits: names and values are as long as the packet allows; values are not checked for meaning. s is valid to free
 * either way. */
int startup_parse(struct slice packet, struct startup *s, struct err *e);
void startup_free(struct startup *s);

/* Builders, for the server side. */
void startup_write_ssl_request(struct buf *out);
void startup_write_message(struct buf *out, uint32_t version, const char *user, const char *database,
                           const struct params *params, const struct params *pq);
void startup_write_cancel(struct buf *out, uint32_t pid, struct slice key);

/* Highest protocol version pgiam speaks with clients. */
#define STARTUP_CLIENT_MAX STARTUP_3_0

/* Must this client be sent NegotiateProtocolVersion, and what? Adds the message to out ('v': the newest version
 * we speak of its major, and every _pq_. option, none of which we know) and returns true. */
bool startup_write_negotiate(struct buf *out, const struct startup *s);

#endif
