/* Follows libpq's fe-auth-scram.c, which means: no extensions, no authorization identity, an empty user name
 * (PostgreSQL takes the one of the startup packet). Whatever a state does not expect is an error, never a
 * crash: which message comes when is the server's choice. */
#include <assert.h>
#include <stdlib.h>
#include "base/digest.h"
#include "base/enc.h"
#include "base/mem.h"
#include "base/rd.h"
#include "pg/saslprep.h"
#include "pg/scram.h"
#include "pg/scram_secret.h"
#include "pg/utf8.h"

#define NONCE_TEXT_MAX (SCRAM_NONCE_BYTES / 3 * 4)

/* Enough for tls-server-end-point of any digest (64 bytes of SHA-512), and for other kinds to come. */
#define BINDING_MAX 256

enum scram_state { SCRAM_NEW, SCRAM_SENT_FIRST, SCRAM_READ_FIRST, SCRAM_SENT_FINAL, SCRAM_OVER };

struct scram_client {
	enum scram_state state;
	enum scram_binding binding;
	struct buf binding_data;
	struct buf nonce;        /* ours, as text */
	struct buf server_first; /* as it came: part of what is signed */
	struct slice full_nonce; /* borrowed from server_first */
	struct buf salt;
	uint32_t iterations;
	unsigned char signature[SCRAM_KEY_BYTES]; /* what the server must answer */
};

static const char *const gs2_headers[] = {
	[SCRAM_BIND_NONE] = "n,,",
	[SCRAM_BIND_UNUSED] = "y,,",
	[SCRAM_BIND_END_POINT] = "p=tls-server-end-point,,",
};

struct scram_client *scram_client_new(const unsigned char *nonce, enum scram_binding binding,
				      struct slice binding_data)
{
	struct scram_client *c = mem_zalloc(sizeof(*c));

	c->state = SCRAM_NEW;
	c->binding = binding;
	buf_init(&c->binding_data, BINDING_MAX);
	buf_init(&c->nonce, NONCE_TEXT_MAX);
	buf_init(&c->server_first, SCRAM_MAX_MESSAGE);
	buf_init(&c->salt, SCRAM_MAX_SALT);
	if (binding == SCRAM_BIND_END_POINT)
		buf_add_slice(&c->binding_data, binding_data);
	assert(!c->binding_data.full);
	enc_base64(&c->nonce, slice_of(nonce, SCRAM_NONCE_BYTES));
	return c;
}

void scram_client_free(struct scram_client *c)
{
	if (!c)
		return;
	buf_free(&c->binding_data);
	buf_free(&c->nonce);
	buf_free(&c->server_first);
	buf_free(&c->salt);
	mem_free_wipe(c, sizeof(*c));
}

static void add_first_bare(const struct scram_client *c, struct buf *out)
{
	buf_add_str(out, "n=,r=");
	buf_add_slice(out, buf_slice(&c->nonce));
}

int scram_client_first(struct scram_client *c, struct buf *out)
{
	assert(c->state == SCRAM_NEW);
	c->state = SCRAM_SENT_FIRST;
	buf_add_str(out, gs2_headers[c->binding]);
	add_first_bare(c, out);
	return out->full ? -1 : 0;
}

static int malformed(struct err *e, const char *what)
{
	return err_set(e, ERR_SERVER_PROTOCOL, "malformed SCRAM message from the server: %s", what);
}

/* The value of the attribute at the front of r, which must be `name` with something in it; the comma behind
 * it is consumed. */
static struct slice take_attribute(struct rd *r, char name)
{
	struct slice rest, value;
	const unsigned char *comma;

	if (rd_u8(r) != (unsigned char)name || rd_u8(r) != '=' || !rd_ok(r) || r->left == 0) {
		rd_fail(r);
		return slice_str("");
	}
	rest = slice_of(r->p, r->left);
	comma = memchr(rest.p, ',', rest.n);
	value = rd_bytes(r, comma ? (size_t)(comma - rest.p) : rest.n);
	if (comma) {
		rd_u8(r);
		if (r->left == 0) /* a comma promises another attribute */
			rd_fail(r);
	}
	if (value.n == 0)
		rd_fail(r);
	return value;
}

/* RFC 5802: printable ASCII but the comma; ours first, and something of the server's behind it. */
static bool nonce_is_good(const struct scram_client *c, struct slice nonce)
{
	if (nonce.n <= c->nonce.n || memcmp(nonce.p, c->nonce.p, c->nonce.n) != 0)
		return false;
	for (size_t i = 0; i < nonce.n; i++)
		if (nonce.p[i] < 0x21 || nonce.p[i] > 0x7e)
			return false;
	return true;
}

int scram_client_server_first(struct scram_client *c, struct slice msg, struct err *e)
{
	struct slice salt, iterations;
	struct rd r;

	if (c->state != SCRAM_SENT_FIRST)
		return err_set(e, ERR_SERVER_PROTOCOL, "the server sent a SCRAM challenge out of turn");
	c->state = SCRAM_OVER; /* unless all of it is good */
	if (buf_add_slice(&c->server_first, msg) != 0)
		return malformed(e, "it is too long");
	r = rd_init(buf_slice(&c->server_first));
	c->full_nonce = take_attribute(&r, 'r');
	if (!rd_ok(&r))
		return malformed(e, "no nonce");
	if (!nonce_is_good(c, c->full_nonce))
		return malformed(e, "its nonce does not continue ours");
	salt = take_attribute(&r, 's');
	if (!rd_ok(&r) || enc_base64_decode(&c->salt, salt) != 0)
		return malformed(e, "no valid salt");
	iterations = take_attribute(&r, 'i');
	if (!rd_end(&r))
		return malformed(e, "no iteration count at its end");
	c->iterations = scram_iterations(iterations);
	if (c->iterations == 0)
		return malformed(e, "invalid iteration count");
	if (c->iterations > SCRAM_MAX_ITERATIONS)
		return err_set(e, ERR_SERVER_PROTOCOL,
			       "the server asks for %u SCRAM iterations; pgiam does at most %u",
			       (unsigned)c->iterations, SCRAM_MAX_ITERATIONS);
	c->state = SCRAM_READ_FIRST;
	return 0;
}

struct slice scram_client_salt(const struct scram_client *c)
{
	return buf_slice(&c->salt);
}

uint32_t scram_client_iterations(const struct scram_client *c)
{
	return c->iterations;
}

void scram_sign(const unsigned char salted[SCRAM_KEY_BYTES], struct slice auth_message,
		unsigned char proof[SCRAM_KEY_BYTES], unsigned char signature[SCRAM_KEY_BYTES])
{
	struct slice key = slice_of(salted, SCRAM_KEY_BYTES);
	unsigned char client_key[SCRAM_KEY_BYTES], other[SCRAM_KEY_BYTES];

	digest_hmac_sha256(key, slice_str("Client Key"), client_key);
	digest_sha256(slice_of(client_key, SCRAM_KEY_BYTES), other); /* StoredKey */
	digest_hmac_sha256(slice_of(other, SCRAM_KEY_BYTES), auth_message, proof);
	for (size_t i = 0; i < SCRAM_KEY_BYTES; i++)
		proof[i] ^= client_key[i];
	digest_hmac_sha256(key, slice_str("Server Key"), other);
	digest_hmac_sha256(slice_of(other, SCRAM_KEY_BYTES), auth_message, signature);
	mem_wipe(client_key, sizeof(client_key));
	mem_wipe(other, sizeof(other));
}

/* client-final-message-without-proof */
static void add_final_bare(const struct scram_client *c, struct buf *out)
{
	struct buf cbind;

	buf_init(&cbind, BINDING_MAX + 64);
	buf_add_str(&cbind, gs2_headers[c->binding]);
	buf_add_slice(&cbind, buf_slice(&c->binding_data));
	buf_add_str(out, "c=");
	enc_base64(out, buf_slice(&cbind));
	buf_add_str(out, ",r=");
	buf_add_slice(out, c->full_nonce);
	buf_free(&cbind);
}

int scram_client_final(struct scram_client *c, const unsigned char salted[SCRAM_KEY_BYTES], struct buf *out)
{
	unsigned char proof[SCRAM_KEY_BYTES];
	struct buf auth;

	assert(c->state == SCRAM_READ_FIRST);
	c->state = SCRAM_SENT_FINAL;
	buf_init(&auth, 4 * SCRAM_MAX_MESSAGE);
	add_first_bare(c, &auth);
	buf_add_char(&auth, ',');
	buf_add_slice(&auth, buf_slice(&c->server_first));
	buf_add_char(&auth, ',');
	add_final_bare(c, &auth);
	assert(!auth.full);
	scram_sign(salted, buf_slice(&auth), proof, c->signature);
	add_final_bare(c, out);
	buf_add_str(out, ",p=");
	enc_base64(out, slice_of(proof, sizeof(proof)));
	mem_wipe(proof, sizeof(proof));
	buf_free(&auth);
	return out->full ? -1 : 0;
}

/* "e=...": PostgreSQL sends an ErrorResponse instead, others may use it. */
static int server_refused(struct slice reason, struct err *e)
{
	struct buf text;

	buf_init(&text, 256);
	utf8_clean(&text, reason);
	err_set(e, ERR_AUTH_PASSWORD, "the server refused the password: %s", buf_cstr(&text));
	if (e)
		e->from_server = true;
	buf_free(&text);
	return -1;
}

int scram_client_verify(struct scram_client *c, struct slice msg, struct err *e)
{
	struct rd r = rd_init(msg), error = r;
	struct slice value;
	struct buf signature;
	bool good;

	if (c->state != SCRAM_SENT_FINAL)
		return err_set(e, ERR_SERVER_PROTOCOL, "the server ended SCRAM out of turn");
	c->state = SCRAM_OVER;
	value = take_attribute(&error, 'e');
	if (rd_ok(&error))
		return server_refused(value, e);
	value = take_attribute(&r, 'v');
	if (!rd_end(&r))
		return malformed(e, "no signature");
	buf_init(&signature, SCRAM_KEY_BYTES);
	good = enc_base64_decode(&signature, value) == 0 &&
	       slice_eq_consttime(buf_slice(&signature), slice_of(c->signature, sizeof(c->signature)));
	buf_free(&signature);
	if (!good)
		return err_set(e, ERR_SERVER_PROTOCOL,
			       "wrong SCRAM signature: the server does not know the password");
	return 0;
}

int scram_prepare_password(struct slice password, struct buf *out, struct err *e)
{
	size_t before = out->n;

	if (password.n == 0)
		return err_set(e, ERR_AUTH_PASSWORD, "the password is empty");
	if (saslprep(out, password) != 0 && out->n == before)
		buf_add_slice(out, password);
	if (out->full)
		return err_set(e, ERR_LIMIT, "the password is too long");
	return 0;
}
