/* Packets without a type byte, at a connection's start: StartupMessage, SSLRequest, GSSENCRequest,
 * CancelRequest (PostgreSQL: Protocol, Message Formats; backend tcop ProcessStartupPacket). */
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

/* Cancel keys: what the protocol allows, and what PostgreSQL 18 hands out, by version. */
#define STARTUP_CANCEL_KEY_MAX 256
#define STARTUP_KEY_BYTES_3_0  4
#define STARTUP_KEY_BYTES_3_2  32

/* Parameters besides user, database and replication. No application sends more; a packet has room for 2,500, and what is
 * kept for them would be twenty times its size. */
#define STARTUP_PARAMS_MAX 128

enum startup_kind { STARTUP_MESSAGE, STARTUP_SSL, STARTUP_GSSENC, STARTUP_CANCEL };

struct startup {
	enum startup_kind kind;
	uint32_t version;      /* of STARTUP_MESSAGE: major << 16 | minor */
	char *user, *database; /* owned, as sent (PostgreSQL cuts them after 63 bytes); database defaults to
				  user */
	char *replication;     /* owned; the raw value, NULL if absent */
	struct params params;  /* all others, in order, `options` included; no _pq_. names */
	struct params pq;      /* the _pq_.* protocol options, each as often as it was sent */
	uint32_t cancel_pid;
	struct slice cancel_key; /* borrowed from the packet; 4..256 bytes */
};

/* Texts are in whatever encoding the client has: they may be no UTF-8. "user", "database" and "replication"
 * are known in lower case only, as in PostgreSQL; of a name sent twice the last value holds. */

/* How long is the packet at the front of in (length word included)? OK: *total is set, all of it may not be
 * there yet. BAD: below 8 or above MSG_MAX_STARTUP_PACKET. */
enum frame_status startup_length(struct slice in, size_t *total);

/* Parses one whole packet. 0, or -1 with e as PostgreSQL would say it: ERR_CLIENT_PROTOCOL ("invalid startup
 * packet layout: expected terminator as last byte"), ERR_CLIENT_UNSUPPORTED (major version), ERR_CLIENT_USER
 * (no user: known last, when the client has to be told about its version all the same). Limits: names and values are as long as the packet allows; values are not checked for meaning. s
 * is valid to free either way. */
int startup_parse(struct slice packet, struct startup *s, struct err *e);
void startup_free(struct startup *s); /* idempotent */

/* The errors for startup_length's BAD, and for a version or a request code that is not served here
 * (PostgreSQL says this too of an SSLRequest that comes a second time). Return -1. */
int startup_err_length(struct err *e);
int startup_err_version(uint32_t version, struct err *e);

/* Builders, for the server side. In params an empty name, "user" and "database" are left out: they would end
 * the packet or speak over the caller. params and pq may be NULL. */
void startup_write_ssl_request(struct buf *out);
void startup_write_message(struct buf *out, uint32_t version, const char *user, const char *database,
			   const struct params *params, const struct params *pq);
void startup_write_cancel(struct buf *out, uint32_t pid, struct slice key);

/* Highest protocol version pgiam speaks with clients. */
#define STARTUP_CLIENT_MAX STARTUP_3_2

/* What is spoken with a client that asks for this version. PostgreSQL 18 lets 3.1, which nothing ever spoke, pass for
 * 3.0. */
static inline uint32_t startup_agreed(uint32_t asked)
{
	return asked < STARTUP_CLIENT_MAX ? asked : STARTUP_CLIENT_MAX;
}

/* Is it older than 3.0, so that errors have another form? To PostgreSQL 0.0 is none. */
static inline bool startup_is_old(uint32_t version)
{
	return version > 0 && version < STARTUP_3_0;
}

/* How long are the cancel keys of this version? */
static inline size_t startup_key_bytes(uint32_t version)
{
	return version < STARTUP_3_2 ? STARTUP_KEY_BYTES_3_0 : STARTUP_KEY_BYTES_3_2;
}

/* Must this client (STARTUP_MESSAGE) be sent NegotiateProtocolVersion, and what? Adds the message to out
 * ('v': what is spoken, and every _pq_. option, none of which we know) and returns true. Nothing is said to 3.0, 3.1
 * and 3.2 without options. To be called once a connection (pitfall 6). */
bool startup_write_negotiate(struct buf *out, const struct startup *s);

#endif
