/* Inside of a client, for client*.c only. From the ground up; each needs only those above it here:
 *   client.c           states, what pgiam says itself, the end
 *   client_link.c      at a server
 *   client_wait.c      from its welcome until it has a server
 *   client_welcome.c   AuthenticationOk to ReadyForQuery
 *   client_enter.c     is it let in, and which pool serves it
 *   client_auth*.c     who it is (client_auth.h)
 *   client_admit.c     may it ask for that at all
 *   client_startup.c   SSLRequest, GSSENCRequest, TLS, CancelRequest, up to the StartupMessage
 *   client_accept.c    from accept on: whose turn it is when something happens */
#ifndef PGIAM_PROXY_CLIENT_PRIVATE_H
#define PGIAM_PROXY_CLIENT_PRIVATE_H

#include "proxy/client.h"

/* ---- client.c ---- */

void client_set_state(struct client *c, enum client_state s);

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

/* Closes when what there is to say is sent; from here on the stream is client.c's. */
void client_leave(struct client *c);

/* Ends what CLIENT_AUTH holds; idempotent. */
void client_auth_free(struct client *c);

/* ---- client_link.c ---- */

/* Gives it this server, which is idle. */
void client_link(struct client *c, struct server *s);

/* ---- client_wait.c ---- */

/* Sends its welcome, which is in out; to CLIENT_GREETED, and on when it is out. The second: some more of it may go. */
void client_greet(struct client *c);
void client_greet_on(struct client *c);

/* Something may have come: in CLIENT_IDLE; in CLIENT_WELCOME, CLIENT_GREETED or CLIENT_WAIT. */
void client_read_first(struct client *c);
void client_read_waiting(struct client *c);

/* ---- client_welcome.c ---- */

/* The pool knows its server: says so to the client. */
void client_welcome(struct client *c);

/* ---- client_enter.c ---- */

/* It is who it says: finds its pool. */
void client_enter(struct client *c);

/* ---- client_auth.c ---- */

/* Takes what is in s; goes to CLIENT_AUTH, and, sooner or later, to client_enter or client_fail. */
void client_auth_begin(struct client *c, struct startup *s);

/* The stream is ready; CLIENT_AUTH. */
void client_auth_ready(struct client *c, unsigned what);

/* ---- client_admit.c ---- */

/* The StartupMessage, the first `packet` bytes of in; takes what is in s. */
void client_admit(struct client *c, struct startup *s, size_t packet);

/* ---- client_startup.c ---- */

/* The stream is ready; CLIENT_STARTUP, CLIENT_TLS. */
void client_startup_ready(struct client *c);

#endif
