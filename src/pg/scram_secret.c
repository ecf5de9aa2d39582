#include "pg/scram_secret.h"

#include "base/digest.h"
#include "base/enc.h"
#include "base/mem.h"
#include "base/rd.h"

uint32_t scram_iterations(struct slice s)
{
	uint64_t v = 0;

	if (s.n == 0 || s.p[0] == '0')
		return 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return 0;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
		if (v > UINT32_MAX)
			return 0;
	}
	return (uint32_t)v;
}

/* Up to the next `end`, which is consumed. */
static struct slice take_until(struct rd *r, char end)
{
	const unsigned char *at = r->left ? memchr(r->p, end, r->left) : NULL;
	struct slice s;

	if (!at) {
		rd_fail(r);
		return slice_str("");
	}
	s = rd_bytes(r, (size_t)(at - r->p));
	rd_u8(r);
	return s;
}

/* Base64 of at least one and at most max bytes. */
static size_t decode(struct slice text, unsigned char *out, size_t max)
{
	struct buf b;
	size_t n = 0;

	buf_init_secret(&b, max);
	if (enc_base64_decode(&b, text) == 0 && b.n > 0) {
		n = b.n;
		memcpy(out, b.p, n);
	}
	buf_free(&b);
	return n;
}

static int wrong(struct err *e, const char *what)
{
	return err_set(e, ERR_CONFIG, "a SCRAM secret that is none: %s", what);
}

int scram_secret_parse(struct slice text, struct scram_secret *out, struct err *e)
{
	struct slice iterations, salt, stored, server;
	struct rd r = rd_init(text);

	*out = (struct scram_secret){0};
	if (!slice_starts(text, SCRAM_SECRET_PREFIX))
		return wrong(e, "it does not begin with " SCRAM_SECRET_PREFIX);
	rd_bytes(&r, sizeof(SCRAM_SECRET_PREFIX) - 1);
	iterations = take_until(&r, ':');
	salt = take_until(&r, '$');
	stored = take_until(&r, ':');
	server = rd_rest(&r);
	if (!rd_ok(&r))
		return wrong(e, "it is not of the form " SCRAM_SECRET_PREFIX "iterations:salt$stored:server");
	out->iterations = scram_iterations(iterations);
	if (out->iterations == 0 || out->iterations > SCRAM_MAX_ITERATIONS)
		return wrong(e, "its iterations are no number from 1 to 1000000");
	out->salt_bytes = decode(salt, out->salt, sizeof(out->salt));
	if (out->salt_bytes == 0)
		return wrong(e, "its salt is not base64 of 1 to 64 bytes");
	if (decode(stored, out->keys.stored, SCRAM_KEY_BYTES) != SCRAM_KEY_BYTES ||
	    decode(server, out->keys.server, SCRAM_KEY_BYTES) != SCRAM_KEY_BYTES) {
		mem_wipe(out, sizeof(*out));
		return wrong(e, "its keys are not base64 of 32 bytes");
	}
	return 0;
}

void scram_keys_make(const unsigned char salted[SCRAM_KEY_BYTES], struct scram_keys *out)
{
	struct slice key = slice_of(salted, SCRAM_KEY_BYTES);
	unsigned char client_key[SCRAM_KEY_BYTES];

	digest_hmac_sha256(key, slice_str("Client Key"), client_key);
	digest_sha256(slice_of(client_key, SCRAM_KEY_BYTES), out->stored);
	digest_hmac_sha256(key, slice_str("Server Key"), out->server);
	mem_wipe(client_key, sizeof(client_key));
}
