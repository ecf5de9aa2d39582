/* The server's side of a login, SCRAM included, written without pgiam's SCRAM. */
#include "fakepg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "base/mem.h"
#include "pg/frame.h"
#include "pg/message.h"
#include "pg/parse.h"

#define ITERATIONS 64
#define SALT       "0123456789abcdef"
#define SCRAM_OFFER "SCRAM-SHA-256\0"

static void say_auth(struct fakepg_conn *c, uint32_t request, const void *data, size_t n)
{
	size_t len = 8 + n;
	unsigned char head[9] = {'R', (unsigned char)(len >> 24), (unsigned char)(len >> 16), (unsigned char)(len >> 8),
	                         (unsigned char)len, (unsigned char)(request >> 24), (unsigned char)(request >> 16),
	                         (unsigned char)(request >> 8), (unsigned char)request};

	peer_say(&c->p, head, sizeof(head));
	if (n > 0)
		peer_say(&c->p, data, n);
}

/* Does the server end or fall silent here? Then nothing more is done. */
static bool stops_at(struct fakepg_conn *c, enum fakepg_step at)
{
	struct fakepg *pg = c->pg;

	if (pg->error_at == at) {
		fakepg_error(c, "FATAL", pg->sqlstate, "the test says no");
		fakepg_close(c);
		return true;
	}
	if (pg->close_at == at)
		fakepg_close(c);
	return pg->close_at == at || pg->silent_at == at;
}

static void welcome(struct fakepg_conn *c)
{
	static const char *const usual[] = {"server_version",  "16.4", "client_encoding", "UTF8", "TimeZone", "UTC",
	                                    "application_name", "",     NULL};
	const char *const *p = c->pg->params ? c->pg->params : usual;
	unsigned char key[STARTUP_CANCEL_KEY_MAX + 1];

	say_auth(c, AUTH_OK, NULL, 0);
	if (stops_at(c, FAKEPG_AUTH_OK))
		return;
	for (; *p; p += 2) {
		const char *asked = strcmp(p[0], "application_name") == 0 ? params_get(&c->startup.params, p[0]) : NULL;

		message_parameter_status(&c->p.out, p[0], asked ? asked : p[1]);
	}
	if (stops_at(c, FAKEPG_PARAMS))
		return;
	memset(key, 'k', sizeof(key));
	if (c->pg->key_bytes > 0)
		message_backend_key(&c->p.out, c->pid, slice_of(key, c->pg->key_bytes));
	if (stops_at(c, FAKEPG_KEY))
		return;
	message_ready(&c->p.out, 'I');
	c->ready = true;
}

static void refuse(struct fakepg_conn *c)
{
	fakepg_error(c, "FATAL", c->pg->sqlstate ? c->pg->sqlstate : "28P01", "password authentication failed");
	fakepg_close(c);
}

static void on_startup(struct fakepg_conn *c)
{
	struct fakepg *pg = c->pg;

	if (stops_at(c, FAKEPG_STARTUP))
		return;
	if (pg->raw.n > 0) {
		peer_say(&c->p, pg->raw.p, pg->raw.n);
		c->ready = true;
		return;
	}
	if (pg->negotiate.n > 0) {
		unsigned char head[5] = {'v', 0, 0, 0, (unsigned char)(4 + pg->negotiate.n)};

		peer_say(&c->p, head, sizeof(head));
		peer_say(&c->p, pg->negotiate.p, pg->negotiate.n);
	}
	switch (pg->auth) {
	case AUTH_OK: welcome(c); break;
	case AUTH_SASL:
		if (pg->sasl_offer.n > 0)
			say_auth(c, AUTH_SASL, pg->sasl_offer.p, pg->sasl_offer.n);
		else
			say_auth(c, AUTH_SASL, SCRAM_OFFER, sizeof(SCRAM_OFFER));
		break;
	case AUTH_MD5: say_auth(c, AUTH_MD5, "salt", 4); break;
	default: say_auth(c, pg->auth, NULL, 0); break;
	}
}

/* ---- SCRAM ---- */

static void hmac(const unsigned char key[32], const void *p, size_t n, unsigned char out[32])
{
	unsigned len = 32;

	if (!HMAC(EVP_sha256(), key, 32, p, n, out, &len))
		abort();
}

static void b64(const void *p, size_t n, char *out)
{
	EVP_EncodeBlock((unsigned char *)out, p, (int)n);
}

/* SASLInitialResponse: mechanism, length, "n,,n=,r=NONCE". */
static void scram_first(struct fakepg_conn *c, struct slice body)
{
	const unsigned char *msg = (const unsigned char *)memchr(body.p, '\0', body.n) + 5;
	char salt[64], reply[512], text[512];
	const char *bare;

	snprintf(c->scram_begin, sizeof(c->scram_begin), "%.20s %c", (const char *)body.p, *msg);
	snprintf(text, sizeof(text), "%.*s", (int)(body.n - (size_t)(msg - body.p)), (const char *)msg);
	bare = strstr(text, "n=");
	snprintf(c->scram_nonce, sizeof(c->scram_nonce), "%.60s+server", strstr(bare, "r=") + 2);
	b64(SALT, 16, salt);
	snprintf(reply, sizeof(reply), "r=%s,s=%s,i=%d", c->scram_nonce, salt, ITERATIONS);
	buf_printf(&c->scram_auth, "%s,%s,", bare, reply);
	say_auth(c, AUTH_SASL_CONTINUE, reply, strlen(reply));
}

/* SASLResponse: "c=...,r=...,p=PROOF". */
static void scram_final(struct fakepg_conn *c, struct slice body)
{
	unsigned char salted[32], client_key[32], stored[32], signature[32], server_key[32], proof[64];
	char text[1024], reply[128] = "v=", *p;

	snprintf(text, sizeof(text), "%.*s", (int)body.n, (const char *)body.p);
	p = strstr(text, ",p=");
	*p = '\0';
	buf_printf(&c->scram_auth, "%s", text);
	if (!PKCS5_PBKDF2_HMAC(c->pg->password, -1, (const unsigned char *)SALT, 16, ITERATIONS, EVP_sha256(), 32,
	                       salted))
		abort();
	hmac(salted, "Client Key", 10, client_key);
	hmac(salted, "Server Key", 10, server_key);
	EVP_Digest(client_key, 32, stored, NULL, EVP_sha256(), NULL);
	hmac(stored, c->scram_auth.p, c->scram_auth.n, signature);
	if (EVP_DecodeBlock(proof, (unsigned char *)p + 3, (int)strlen(p + 3)) < 32)
		abort();
	for (int i = 0; i < 32; i++) {
		if (proof[i] != (client_key[i] ^ signature[i])) {
			refuse(c);
			return;
		}
	}
	if (c->pg->scram_liar) {
		welcome(c);
		return;
	}
	hmac(server_key, c->scram_auth.p, c->scram_auth.n, signature);
	signature[31] ^= c->pg->scram_wrong;
	b64(signature, 32, reply + 2);
	say_auth(c, AUTH_SASL_FINAL, reply, strlen(reply));
	if (!stops_at(c, FAKEPG_PROVEN))
		welcome(c);
}

/* The 32 digits of the MD5 of two texts. */
static void md5_digits(const char *a, const char *b, char out[33])
{
	unsigned char digest[16];
	char both[256];

	snprintf(both, sizeof(both), "%s%s", a, b);
	if (EVP_Digest(both, strlen(both), digest, NULL, EVP_md5(), NULL) != 1)
		abort();
	for (unsigned i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void md5_answer(struct fakepg_conn *c, struct slice body)
{
	char kept[33], right[36] = "md5";

	md5_digits(c->pg->password ? c->pg->password : "sesame", c->user, kept);
	md5_digits(kept, "salt", right + 3);
	if (body.n == sizeof(right) && memcmp(body.p, right, sizeof(right)) == 0)
		welcome(c);
	else
		refuse(c);
}

static void on_password(struct fakepg_conn *c, struct slice body)
{
	if (c->pg->auth == AUTH_SASL && c->scram_auth.n == 0) {
		if (!stops_at(c, FAKEPG_PASSWORD))
			scram_first(c, body);
	} else if (c->pg->auth == AUTH_SASL) {
		if (!stops_at(c, FAKEPG_SCRAM))
			scram_final(c, body);
	} else if (c->pg->auth == AUTH_MD5) {
		if (!stops_at(c, FAKEPG_PASSWORD))
			md5_answer(c, body);
	} else if (!stops_at(c, FAKEPG_PASSWORD)) {
		if (c->pg->password && !slice_eq(body, slice_of(c->pg->password, strlen(c->pg->password) + 1)))
			refuse(c);
		else
			welcome(c);
	}
}

/* ---- packets ---- */

static void on_packet(struct fakepg_conn *c, struct slice packet)
{
	struct err e;

	if (startup_parse(packet, &c->startup, &e) != 0)
		abort(); /* pgiam writes no wrong ones */
	switch (c->startup.kind) {
	case STARTUP_SSL:
		if (stops_at(c, FAKEPG_SSL))
			break;
		if (c->pg->ssl_answer.n > 0)
			peer_say(&c->p, c->pg->ssl_answer.p, c->pg->ssl_answer.n);
		else if (c->pg->tls && send(c->p.fd, "S", 1, MSG_NOSIGNAL) == 1)
			peer_tls_accept(&c->p, c->pg->tls);
		else
			peer_say(&c->p, "N", 1);
		break;
	case STARTUP_CANCEL:
		c->cancel = true;
		c->started = true;
		c->pg->cancels++;
		c->pg->cancel_pid = c->startup.cancel_pid;
		buf_clear(&c->pg->cancel_key);
		buf_add_slice(&c->pg->cancel_key, c->startup.cancel_key);
		if (!c->pg->hold_cancel)
			fakepg_close(c);
		break;
	case STARTUP_MESSAGE:
		c->started = true;
		c->user = mem_strdup(c->startup.user);
		on_startup(c);
		return; /* startup stays for the test to look at */
	case STARTUP_GSSENC: abort();
	}
	startup_free(&c->startup);
}

bool fakepg_login(struct fakepg_conn *c)
{
	struct slice in = buf_slice(&c->p.in), body;
	struct frame f;
	size_t total;

	if (c->cancel || c->p.handshaking)
		return false;
	if (!c->started) {
		if (startup_length(in, &total) != FRAME_OK || in.n < total)
			return false;
		c->packets++;
		on_packet(c, slice_of(in.p, total));
		buf_drop_front(&c->p.in, total);
		return true;
	}
	if (frame_whole(in, 65536, &f, &body) != FRAME_OK)
		return false;
	c->packets++;
	if (f.type == 'p')
		on_password(c, body);
	buf_drop_front(&c->p.in, FRAME_HEAD_BYTES + (size_t)f.body);
	return true;
}
