/* The table of messages: what each type may weigh and how the relay treats it, by direction. Limits are
 * PostgreSQL's own (tcop/postgres.c SocketBackend, libpq fe-protocol3.c VALID_LONG_MESSAGE_TYPE), except that
 * ParameterDescription may be long: libpq does not read one of more than 7500 parameters, other drivers do.
 */
#ifndef PGIAM_PG_MSG_H
#define PGIAM_PG_MSG_H

#include <stdbool.h>
#include <stdint.h>

enum msg_class {
	MSG_REJECT,  /* not legal here: the sender is not a PostgreSQL peer */
	MSG_FORWARD, /* only type and length matter */
	MSG_PREFIX,  /* the first `need` bytes of the body are looked at (fewer if it is shorter) */
	MSG_WHOLE,   /* looked at whole; at most `max_body` bytes */
};

struct msg_info {
	uint8_t class;     /* enum msg_class */
	bool completes;    /* server: ends one Parse, Bind, Close, Describe or Execute ('T' of a simple query:
			      nothing) */
	bool answers;      /* server: says something about what was asked, not only `completes` */
	bool extended;     /* client: Parse, Bind, Describe, Execute, Close */
	uint16_t need;     /* of MSG_PREFIX */
	uint32_t max_body; /* bytes */
	const char *name;  /* "RowDescription"; NULL if rejected */
};

extern const struct msg_info msg_client_table[256], msg_server_table[256];

/* Messages of a session in progress (after ReadyForQuery came once). Never NULL. */
static inline const struct msg_info *msg_from_client(uint8_t type)
{
	return &msg_client_table[type];
}

static inline const struct msg_info *msg_from_server(uint8_t type)
{
	return &msg_server_table[type];
}

/* Limits before login is done. */
#define MSG_MAX_STARTUP_PACKET 10004 /* PostgreSQL's MAX_STARTUP_PACKET_LENGTH and the length word itself */
#define MSG_MAX_SERVER_LOGIN                                                                                 \
	29996 /* body; libpq's limit of 30000, length word counted, for all but the long types */

#endif
