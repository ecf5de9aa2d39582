/* A client's way in, for client*.c only:
 *   client_startup.c   SSLRequest, GSSENCRequest, TLS, CancelRequest, up to the StartupMessage
 *   client_admit.c     may it come in, and which pool serves it
 *   client_auth*.c     who it is (client_auth.h)
 *   client_welcome.c   AuthenticationOk to ReadyForQuery
 *   client_wait.c      from there until it has a server */
#ifndef PGIAM_PROXY_CLIENT_LOGIN_H
#define PGIAM_PROXY_CLIENT_LOGIN_H

#include "proxy/client.h"

/* The stream is ready; CLIENT_STARTUP, CLIENT_TLS. */
void client_startup_ready(struct client *c);

/* The StartupMessage, the first `packet` bytes of in; takes what is in s. */
void client_admit(struct client *c, struct startup *s, size_t packet);

/* Takes what is in s; goes to CLIENT_AUTH, and, sooner or later, to client_enter or client_fail. */
void client_auth_begin(struct client *c, struct startup *s);

/* The stream is ready; CLIENT_AUTH. */
void client_auth_ready(struct client *c, unsigned what);

/* Ends what CLIENT_AUTH holds; idempotent. */
void client_auth_free(struct client *c);

/* It is who it says: finds its pool. */
void client_enter(struct client *c);

/* The pool knows its server: says so to the client. */
void client_welcome(struct client *c);

/* The welcome is out. */
void client_begin_session(struct client *c);

/* Something may have come, in CLIENT_IDLE; in CLIENT_WELCOME or CLIENT_WAIT. */
void client_read_first(struct client *c);
void client_read_waiting(struct client *c);

/* ---- of client.c, for these ---- */

void client_set_state(struct client *c, enum client_state s);
void client_idle(struct client *c); /* welcomed */

/* It made a step of its login: others are pushed out before it. Bytes alone are no step, or one a second would do; a
 * connection can make few of them. */
void client_got_on(struct client *c);

/* It is going to end for this reason (a literal, for the log); the first one counts. The second: its stream has ended, or
 * broken. */
void client_because(struct client *c, const char *reason);
void client_because_of_stream(struct client *c);

/* It begins, or has ended, being idle: client_idle_timeout. */
void client_idle_clock(struct client *c, bool idle);

/* Sends what is in out. 0 all sent, 1 waits, -1 the client is gone. */
int client_flush(struct client *c);

#endif
