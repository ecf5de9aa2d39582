/* Follows auth-scram.c step by step, so that a client hears the same from both. The user name in the client's message
 * is ignored, as there: the startup packet's holds. */
#include "pg/scram_server.h"

#include <assert.h>
#include <stdlib.h>
#include "base/digest.h"
#include "base/enc.h"
#include "base/mem.h"
#include "base/rd.h"

#define END_POINT        "tls-server-end-point"
#define GS2_END_POINT    "p=" END_POINT ",,"
#define BINDING_MAX      64
#define SERVER_FIRST_MAX (2 * SCRAM_MAX_CLIENT_MESSAGE)
#define AUTH_MAX         (8 * SCRAM_MAX_CLIENT_MESSAGE)

enum server_state { SERVER_NEW, SERVER_SENT_FIRST, SERVER_READ_FINAL, SERVER_OVER };

struct scram_server {
	enum server_state state;
	bool plus, plus_offered;
	char flag;        /* of the gs2 header: n, y, p */
	struct buf bind;  /* what c= must be with -PLUS, in base64 */
	struct buf nonce; /* ours, as text; the client's goes in front of it */
	struct buf auth;  /* AuthMessage */
	unsigned char proof[SCRAM_KEY_BYTES];
};

struct scram_server *scram_server_new(const struct scram_server_opts *o)
{
	struct scram_server *s = mem_zalloc(sizeof(*s));
	struct buf raw;

	assert(!o->plus || o->plus_offered);
	s->plus = o->plus;
	s->plus_offered = o->plus_offered;
	buf_init(&s->nonce, 2 * SCRAM_MAX_CLIENT_MESSAGE);
	buf_init(&s->auth, AUTH_MAX);
	buf_init(&s->bind, 4 * BINDING_MAX);
	buf_init(&raw, sizeof(GS2_END_POINT) + BINDING_MAX);
	buf_add_str(&raw, GS2_END_POINT);
	buf_add_slice(&raw, o->binding_data);
	enc_base64(&s->bind, buf_slice(&raw));
	enc_base64(&s->nonce, slice_of(o->nonce, SCRAM_NONCE_BYTES));
	assert(!raw.full && !s->bind.full);
	buf_free(&raw);
	return s;
}

void scram_server_free(struct scram_server *s)
{
	if (!s)
		return;
	buf_free(&s->bind);
	buf_free(&s->nonce);
	buf_free(&s->auth);
	mem_free_wipe(s, sizeof(*s));
}

/* ---- reading ---- */

/* An offending byte as PostgreSQL shows it. */
struct shown {
	char text[8];
};

static struct shown show(const struct rd *r)
{
	unsigned char c = r->left ? r->p[0] : 0;
	struct shown s;
	struct buf b;

	buf_init(&b, sizeof(s.text) - 1);
	if (c >= 0x21 && c <= 0x7e)
		buf_add_char(&b, (char)c);
	else
		buf_printf(&b, "0x%02x", c);
	memcpy(s.text, buf_cstr(&b), b.n + 1);
	buf_free(&b);
	return s;
}

static int malformed(struct err *e, const char *detail)
{
	err_set(e, ERR_CLIENT_PROTOCOL, "malformed SCRAM message");
	err_detail(e, "%s", detail);
	return -1;
}

static bool next_is(const struct rd *r, char c)
{
	return r->left > 0 && r->p[0] == (unsigned char)c;
}

/* The value of the attribute at the front, whose letter was looked at; the comma behind it is consumed. */
static int take_value(struct rd *r, struct slice *value, struct err *e)
{
	char name = (char)rd_u8(r);
	const unsigned char *comma;

	if (!next_is(r, '=')) {
		err_set(e, ERR_CLIENT_PROTOCOL, "malformed SCRAM message");
		err_detail(e, "Expected character \"=\" for attribute \"%c\".", name);
		return -1;
	}
	rd_u8(r);
	comma = r->left ? memchr(r->p, ',', r->left) : NULL;
	*value = rd_bytes(r, comma ? (size_t)(comma - r->p) : r->left);
	if (comma)
		rd_u8(r);
	return 0;
}

static int take_attribute(struct rd *r, char name, struct slice *value, struct err *e)
{
	if (!next_is(r, name)) {
		err_set(e, ERR_CLIENT_PROTOCOL, "malformed SCRAM message");
		err_detail(e, "Expected attribute \"%c\" but found \"%s\".", name, show(r).text);
		return -1;
	}
	return take_value(r, value, e);
}

/* Whatever comes: *name is its letter. Those the RFC gives a place elsewhere are no extensions. */
static int take_any(struct rd *r, char *name, struct slice *value, struct err *e)
{
	*name = r->left ? (char)r->p[0] : '\0';
	if (!((*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z'))) {
		err_set(e, ERR_CLIENT_PROTOCOL, "malformed SCRAM message");
		err_detail(e, "Attribute expected, but found invalid character \"%s\".", show(r).text);
		return -1;
	}
	if (strchr("anrmcsive", *name))
		return malformed(e, "An attribute is in a place that is not its own.");
	return take_value(r, value, e);
}

static int take_comma(struct rd *r, struct err *e)
{
	if (!next_is(r, ',')) {
		err_set(e, ERR_CLIENT_PROTOCOL, "malformed SCRAM message");
		err_detail(e, "Comma expected, but found character \"%s\".", show(r).text);
		return -1;
	}
	rd_u8(r);
	return 0;
}

static int check_text(struct slice msg, struct err *e)
{
	if (msg.n == 0)
		return malformed(e, "The message is empty.");
	if (memchr(msg.p, '\0', msg.n))
		return malformed(e, "Message length does not match input length.");
	if (msg.n > SCRAM_MAX_CLIENT_MESSAGE)
		return malformed(e, "The message is too long.");
	return 0;
}

/* ---- client-first-message ---- */

static int end_point_flag(const struct scram_server *s, struct rd *r, struct err *e)
{
	struct slice type;
	struct buf text;

	if (!s->plus)
		return malformed(e, "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM "
				    "message includes channel binding data.");
	if (take_attribute(r, 'p', &type, e) != 0)
		return -1;
	if (slice_eq_str(type, END_POINT))
		return 0;
	buf_init(&text, 160);
	enc_printable(&text, type, 30);
	err_set(e, ERR_CLIENT_PROTOCOL, "unsupported SCRAM channel-binding type \"%s\"", buf_cstr(&text));
	buf_free(&text);
	return -1;
}

/* The gs2 header up to its first comma, which is consumed. */
static int channel_flag(struct scram_server *s, struct rd *r, struct err *e)
{
	s->flag = r->left ? (char)r->p[0] : '\0';
	if (s->flag == 'p')
		return end_point_flag(s, r, e);
	if (s->flag != 'n' && s->flag != 'y') {
		err_set(e, ERR_CLIENT_PROTOCOL, "malformed SCRAM message");
		err_detail(e, "Unexpected channel-binding flag \"%s\".", show(r).text);
		return -1;
	}
	if (s->plus)
		return malformed(e, "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not "
				    "include channel binding data.");
	if (s->flag == 'y' && s->plus_offered) {
		/* Somebody on the way took the offer out. */
		err_set(e, ERR_CLIENT_USER, "SCRAM channel binding negotiation error");
		err_detail(e, "The client supports SCRAM channel binding but thinks the server does not.  "
			      "However, this server does support channel binding.");
		return -1;
	}
	rd_u8(r);
	return take_comma(r, e);
}

static bool is_printable(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	return s.n > 0;
}

/* Sets bare to client-first-message-bare and nonce to the client's. */
static int read_first(struct scram_server *s, struct slice msg, struct slice *bare, struct slice *nonce, struct err *e)
{
	struct rd r = rd_init(msg);
	struct slice value;
	char name;

	if (check_text(msg, e) != 0 || channel_flag(s, &r, e) != 0)
		return -1;
	if (next_is(&r, 'a'))
		return err_set(e, ERR_CLIENT_UNSUPPORTED,
			       "client uses authorization identity, but it is not supported");
	if (!next_is(&r, ',')) {
		err_set(e, ERR_CLIENT_PROTOCOL, "malformed SCRAM message");
		err_detail(e, "Unexpected attribute \"%s\" in client-first-message.", show(&r).text);
		return -1;
	}
	rd_u8(&r);
	*bare = slice_of(r.p, r.left);
	if (next_is(&r, 'm'))
		return err_set(e, ERR_CLIENT_UNSUPPORTED, "client requires an unsupported SCRAM extension");
	if (take_attribute(&r, 'n', &value, e) != 0 || take_attribute(&r, 'r', nonce, e) != 0)
		return -1;
	if (!is_printable(*nonce))
		return err_set(e, ERR_CLIENT_PROTOCOL, "non-printable characters in SCRAM nonce");
	while (r.left > 0)
		if (take_any(&r, &name, &value, e) != 0)
			return -1;
	return 0;
}

int scram_server_first(struct scram_server *s, struct slice msg, struct slice salt, uint32_t iterations, struct buf *out,
		       struct err *e)
{
	struct slice bare, nonce;
	struct buf first, ours;

	assert(s->state == SERVER_NEW);
	s->state = SERVER_OVER; /* unless all of it is good */
	if (read_first(s, msg, &bare, &nonce, e) != 0)
		return -1;
	buf_init(&ours, SCRAM_NONCE_BYTES * 2);
	buf_add_slice(&ours, buf_slice(&s->nonce));
	buf_clear(&s->nonce);
	buf_add_slice(&s->nonce, nonce);
	buf_add_slice(&s->nonce, buf_slice(&ours));
	buf_init(&first, SERVER_FIRST_MAX);
	buf_add_str(&first, "r=");
	buf_add_slice(&first, buf_slice(&s->nonce));
	buf_add_str(&first, ",s=");
	enc_base64(&first, salt);
	buf_printf(&first, ",i=%u", (unsigned)iterations);
	buf_add_slice(&s->auth, bare);
	buf_add_char(&s->auth, ',');
	buf_add_slice(&s->auth, buf_slice(&first));
	assert(!first.full && !s->auth.full && !s->nonce.full);
	buf_add_slice(out, buf_slice(&first));
	buf_free(&first);
	buf_free(&ours);
	s->state = SERVER_SENT_FIRST;
	return 0;
}

/* ---- client-final-message ---- */

/* c= must say again what the first message said, and with -PLUS name our own certificate. */
static int check_binding(const struct scram_server *s, struct slice c, struct err *e)
{
	if (s->plus) {
		if (slice_eq(c, buf_slice(&s->bind)))
			return 0;
		return err_set(e, ERR_CLIENT_USER, "SCRAM channel binding check failed");
	}
	if (slice_eq_str(c, s->flag == 'y' ? "eSws" : "biws")) /* "y,," and "n,," */
		return 0;
	return err_set(e, ERR_CLIENT_PROTOCOL, "unexpected SCRAM channel-binding attribute in client-final-message");
}

/* Reads the proof; without: how much of msg goes before ",p=". */
static int read_final(struct scram_server *s, struct slice msg, size_t *without, struct err *e)
{
	struct rd r = rd_init(msg);
	struct slice c, nonce, value;
	struct buf proof;
	char name;
	bool good;

	if (check_text(msg, e) != 0 || take_attribute(&r, 'c', &c, e) != 0 || check_binding(s, c, e) != 0 ||
	    take_attribute(&r, 'r', &nonce, e) != 0)
		return -1;
	do {
		*without = (size_t)(r.p - msg.p);
		if (take_any(&r, &name, &value, e) != 0)
			return -1;
	} while (name != 'p');
	*without -= 1; /* the comma */
	buf_init(&proof, SCRAM_KEY_BYTES);
	good = enc_base64_decode(&proof, value) == 0 && proof.n == SCRAM_KEY_BYTES;
	if (good)
		memcpy(s->proof, proof.p, SCRAM_KEY_BYTES);
	buf_free(&proof);
	if (!good)
		return malformed(e, "Malformed proof in client-final-message.");
	if (r.left > 0 || msg.p[msg.n - 1] == ',')
		return malformed(e, "Garbage found at the end of client-final-message.");
	if (!slice_eq_consttime(nonce, buf_slice(&s->nonce))) {
		err_set(e, ERR_CLIENT_PROTOCOL, "invalid SCRAM response");
		err_detail(e, "Nonce does not match.");
		return -1;
	}
	return 0;
}

int scram_server_final(struct scram_server *s, struct slice msg, struct err *e)
{
	size_t without;

	assert(s->state == SERVER_SENT_FIRST);
	s->state = SERVER_OVER;
	if (read_final(s, msg, &without, e) != 0)
		return -1;
	buf_add_char(&s->auth, ',');
	buf_add(&s->auth, msg.p, without);
	assert(!s->auth.full);
	s->state = SERVER_READ_FINAL;
	return 0;
}

bool scram_server_verify(struct scram_server *s, const struct scram_keys *keys, struct buf *out)
{
	unsigned char signature[SCRAM_KEY_BYTES], client_key[SCRAM_KEY_BYTES], stored[SCRAM_KEY_BYTES];
	bool good;

	assert(s->state == SERVER_READ_FINAL);
	s->state = SERVER_OVER;
	digest_hmac_sha256(slice_of(keys->stored, SCRAM_KEY_BYTES), buf_slice(&s->auth), signature);
	for (size_t i = 0; i < SCRAM_KEY_BYTES; i++)
		client_key[i] = s->proof[i] ^ signature[i];
	digest_sha256(slice_of(client_key, SCRAM_KEY_BYTES), stored);
	good = slice_eq_consttime(slice_of(stored, SCRAM_KEY_BYTES), slice_of(keys->stored, SCRAM_KEY_BYTES));
	digest_hmac_sha256(slice_of(keys->server, SCRAM_KEY_BYTES), buf_slice(&s->auth), signature);
	buf_add_str(out, "v=");
	enc_base64(out, slice_of(signature, SCRAM_KEY_BYTES));
	mem_wipe(client_key, sizeof(client_key));
	mem_wipe(stored, sizeof(stored));
	return good;
}
