#include "pg/password.h"

#include "base/enc.h"
#include "base/rd.h"

int password_parse(struct slice body, struct slice *password, struct err *e)
{
	struct rd r = rd_init(body);

	*password = rd_cstr(&r);
	if (!rd_end(&r))
		return err_set(e, ERR_CLIENT_PROTOCOL, "invalid password packet size");
	if (password->n == 0)
		return err_set(e, ERR_AUTH_PASSWORD, "empty password returned by client");
	return 0;
}

int password_take_mechanism(struct slice *body, struct slice *mechanism, struct err *e)
{
	struct rd r = rd_init(*body);

	*mechanism = rd_cstr(&r);
	if (!rd_ok(&r))
		return err_set(e, ERR_CLIENT_PROTOCOL, "invalid string in message");
	*body = slice_of(r.p, r.left);
	return 0;
}

int password_parse_sasl(struct slice rest, struct password_sasl *out, struct err *e)
{
	struct rd r = rd_init(rest);
	uint32_t n = rd_be32(&r);

	out->has_data = n != UINT32_MAX;
	out->data = out->has_data ? rd_bytes(&r, n) : slice_str("");
	if (!rd_ok(&r))
		return err_set(e, ERR_CLIENT_PROTOCOL, "insufficient data left in message");
	if (!rd_end(&r))
		return err_set(e, ERR_CLIENT_PROTOCOL, "invalid message format");
	return 0;
}

/* MD5 of two things one after the other. */
static bool md5_of(struct slice a, struct slice b, unsigned char out[DIGEST_MD5_BYTES])
{
	struct buf both;
	bool ok;

	buf_init_secret(&both, a.n + b.n);
	buf_add_slice(&both, a);
	buf_add_slice(&both, b);
	ok = digest_md5(buf_slice(&both), out);
	buf_free(&both);
	return ok;
}

bool password_md5(struct slice password, struct slice user, unsigned char out[DIGEST_MD5_BYTES])
{
	return md5_of(password, user, out);
}

bool password_md5_answer(const unsigned char kept[DIGEST_MD5_BYTES], const unsigned char salt[PASSWORD_MD5_SALT],
			 char out[PASSWORD_MD5_CHARS])
{
	unsigned char digest[DIGEST_MD5_BYTES];
	struct buf text;
	bool ok;

	buf_init_secret(&text, PASSWORD_MD5_CHARS);
	enc_hex(&text, slice_of(kept, DIGEST_MD5_BYTES));
	ok = md5_of(buf_slice(&text), slice_of(salt, PASSWORD_MD5_SALT), digest);
	buf_clear(&text);
	buf_add_str(&text, "md5");
	if (ok) {
		enc_hex(&text, slice_of(digest, sizeof(digest)));
		memcpy(out, text.p, PASSWORD_MD5_CHARS);
	}
	buf_free(&text);
	return ok;
}

static int hex_value(unsigned char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool password_is_md5(struct slice text, unsigned char kept[DIGEST_MD5_BYTES])
{
	if (text.n != PASSWORD_MD5_CHARS || !slice_starts(text, "md5"))
		return false;
	for (size_t i = 3; i < text.n; i++) {
		int v = hex_value(text.p[i]);

		if (v < 0)
			return false;
		if (kept)
			kept[(i - 3) / 2] = (unsigned char)((i % 2 ? 0 : kept[(i - 3) / 2]) | (i % 2 ? v << 4 : v));
	}
	return true;
}
