/* From the first byte to the StartupMessage. That byte is looked at before it is read: 0x16 begins a TLS handshake and no
 * packet, and is OpenSSL's to read (PostgreSQL 17's direct TLS). Everything here is reachable without any authentication:
 * sizes are small and fixed, every packet kind is accepted at most once, exactly one StartupMessage is ever read (pitfalls
 * 1-3, 10, 73), and nothing is buffered when TLS starts. */
#include <sys/socket.h>

#include "pg/message.h"
#include "pg/msg.h"
#include "proxy/client_private.h"

#define READ_CHUNK    4096
#define TLS_HANDSHAKE 0x16 /* ContentType of a ClientHello, RFC 8446 section 5.1; a packet's length begins with 0 */

/* A second request of a kind is taken for a protocol version, as by PostgreSQL. */
static void refuse_version(struct client *c, uint32_t version)
{
	struct err e;

	startup_err_version(version, &e);
	client_fail(c, &e);
}

/* ---- TLS and GSS requests ---- */

/* PostgreSQL checks this for either answer: bytes that came before the answer could have been put there by somebody
 * on the line. */
static bool nothing_behind(struct client *c, size_t packet, const char *request)
{
	struct err e;

	if (c->in.n == packet) {
		buf_clear(&c->in);
		return true;
	}
	err_set(&e, ERR_CLIENT_PROTOCOL, "received unencrypted data after %s request", request);
	err_detail(&e, "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.");
	client_fail(c, &e);
	return false;
}

static bool answer(struct client *c, char yes_or_no)
{
	client_got_on(c);
	buf_add_char(&c->out, yes_or_no);
	return client_flush(c) >= 0;
}

/* As in PostgreSQL: there is no way to say it to the client, before TLS or inside. */
static void handshake_failed(struct client *c, const struct err *e)
{
	c->env->totals->client_errors[e->code]++;
	log_info(loop_log(c->env->loop), "client TLS handshake failed", LERR(e));
	client_close(c);
}

static void handshake(struct client *c)
{
	struct err e;
	int rc = stream_tls_step(c->stream, &e);

	if (rc == 0)
		return;
	if (rc < 0) {
		handshake_failed(c, &e);
		return;
	}
	/* Without an SSLRequest only ALPN says that PostgreSQL's protocol is what comes next. */
	if (!c->ssl_asked && stream_tls_alpn(c->stream).n == 0) {
		err_set(&e, ERR_CLIENT_PROTOCOL,
		        "received direct SSL connection request without ALPN protocol negotiation extension");
		handshake_failed(c, &e);
		return;
	}
	client_set_state(c, CLIENT_STARTUP);
	stream_want_read(c->stream, true);
}

static bool offers_tls(const struct client *c)
{
	return c->env->opts->client_tls && !addr_is_unix(&c->ends->local);
}

static void begin_tls(struct client *c)
{
	struct loop *l = c->env->loop;
	struct tls_ctx *tls = tls_live_get(c->env->opts->client_tls, loop_clock(l), loop_log(l));

	client_set_state(c, CLIENT_TLS);
	stream_tls_server(c->stream, tls);
	tls_ctx_unref(tls);
	handshake(c);
}

/* True if reading goes on. */
static bool ssl_request(struct client *c, size_t packet)
{
	bool offer = offers_tls(c) && !stream_is_tls(c->stream);

	if (c->ssl_asked) {
		refuse_version(c, STARTUP_CODE_SSL);
		return false;
	}
	c->ssl_asked = true;
	if (!offer) /* the answer comes first, as from PostgreSQL */
		return answer(c, 'N') && nothing_behind(c, packet, "SSL");
	if (!nothing_behind(c, packet, "SSL") || !answer(c, 'S'))
		return false;
	c->gss_asked = true; /* inside it would be refused as a second one */
	begin_tls(c);
	return false;
}

static bool gss_request(struct client *c, size_t packet)
{
	if (c->gss_asked) {
		refuse_version(c, STARTUP_CODE_GSSENC);
		return false;
	}
	c->gss_asked = true;
	return answer(c, 'N') && nothing_behind(c, packet, "GSSAPI encryption");
}

/* ---- cancel ---- */

static void cancel_done(void *arg)
{
	struct client *c = arg;

	c->cancel = NULL;
	client_close(c);
}

static void cancel_request(struct client *c, const struct startup *s)
{
	stream_want_read(c->stream, false); /* some clients send more: nobody reads it (pitfall 14) */
	client_set_state(c, CLIENT_CANCEL);
	c->cancel = c->env->cancel(c->env->arg, s->cancel_pid, s->cancel_key, cancel_done, c);
	if (!c->cancel)
		client_close(c);
}

/* Who cancels reads no answer: PostgreSQL gives none to a request it cannot make sense of either. */
static void cancel_refused(struct client *c, const struct err *e)
{
	c->env->totals->client_errors[e->code]++;
	log_info(loop_log(c->env->loop), "malformed cancel request", LERR(e));
	client_close(c);
}

/* ---- packets ---- */

/* Handles the packet at the front of in, of `packet` bytes. True if reading goes on. */
static bool one_packet(struct client *c, size_t packet)
{
	struct startup s;
	struct err e;
	bool more = false;

	int rc = startup_parse(slice_of(c->in.p, packet), &s, &e);

	if (s.kind == STARTUP_MESSAGE)
		c->protocol = startup_agreed(s.version);
	if (rc != 0 && s.kind == STARTUP_CANCEL) {
		cancel_refused(c, &e);
	} else if (rc != 0) {
		if (e.code == ERR_CLIENT_USER)
			startup_write_negotiate(&c->out, &s); /* the user is looked for last */
		client_fail(c, &e);
	} else {
		switch (s.kind) {
		case STARTUP_SSL: more = ssl_request(c, packet); break;
		case STARTUP_GSSENC: more = gss_request(c, packet); break;
		case STARTUP_CANCEL: cancel_request(c, &s); break;
		case STARTUP_MESSAGE: client_admit(c, &s, packet); break;
		}
	}
	startup_free(&s);
	return more;
}

static void read_startup(struct client *c)
{
	for (;;) {
		unsigned char chunk[READ_CHUNK];
		struct err e;
		size_t packet;
		ssize_t n = stream_read(c->stream, chunk, sizeof(chunk));

		if (n == STREAM_AGAIN)
			return;
		if (n <= 0) {
			client_close(c);
			return;
		}
		buf_add(&c->in, chunk, (size_t)n);
		switch (startup_length(buf_slice(&c->in), &packet)) {
		case FRAME_PARTIAL: continue;
		case FRAME_BAD:
			startup_err_length(&e);
			client_fail(c, &e);
			return;
		case FRAME_OK: break;
		}
		if (c->in.n >= packet && !one_packet(c, packet))
			return;
	}
}

/* ---- the first byte ---- */

static bool nothing_read(const struct client *c)
{
	return c->in.n == 0 && !c->ssl_asked && !c->gss_asked && !stream_is_tls(c->stream);
}

static void look_at_first(struct client *c)
{
	unsigned char first = 0;
	ssize_t n = recv(stream_fd(c->stream), &first, 1, MSG_PEEK | MSG_DONTWAIT);
	struct err e;

	if (n != 1 || first != TLS_HANDSHAKE) {
		read_startup(c); /* it finds the end, or the error, as well */
	} else if (offers_tls(c)) {
		begin_tls(c);
	} else {
		err_set(&e, ERR_CLIENT_PROTOCOL, "direct TLS was asked for, and TLS is not offered here");
		handshake_failed(c, &e);
	}
}

void client_startup_ready(struct client *c)
{
	if (c->state == CLIENT_TLS)
		handshake(c);
	else if (nothing_read(c))
		look_at_first(c);
	else
		read_startup(c);
}
