/* Validation stands here and not in each provider: whatever a provider read, nothing gets into a signature or
 * an HTTP header that could split it, and a stray newline is told as such instead of as "PAM authentication
 * failed". */
#include "aws/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/mem.h"

#define ACCOUNT_DIGITS 12

static int check_part(const struct credentials_parts *parts, const char *what, struct slice s, size_t max,
		      struct err *e)
{
	if (s.n == 0)
		return err_set(e, ERR_CREDENTIALS, "%s: %s is empty", parts->provider, what);
	if (s.n > max)
		return err_set(e, ERR_CREDENTIALS, "%s: %s is longer than %zu bytes", parts->provider, what,
			       max);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return err_set(e, ERR_CREDENTIALS,
				       "%s: %s has a byte at position %zu that no key has (%s)",
				       parts->provider, what, i + 1,
				       s.p[i] == '\n' ? "a newline" : "not printable ASCII");
	}
	return 0;
}

/* It is only for people to see, and what else a source may put there is not. */
static bool is_account(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n == ACCOUNT_DIGITS;
}

static struct credentials *make(const struct credentials_parts *parts)
{
	struct credentials *c = mem_zalloc(sizeof(*c));

	atomic_init(&c->refs, 1);
	c->access_key = slice_dup(parts->access_key);
	secret_set(&c->secret_key, parts->secret_key);
	if (parts->session_token.n > 0)
		secret_set(&c->session_token, parts->session_token);
	if (is_account(parts->account_id))
		c->account_id = slice_dup(parts->account_id);
	c->expires_wall_us = parts->expires_wall_us;
	c->provider = parts->provider;
	c->renewable = parts->renewable;
	return c;
}

struct credentials *credentials_new(const struct credentials_parts *parts, struct err *e)
{
	if (check_part(parts, "the access key", parts->access_key, CREDENTIALS_KEY_MAX, e) != 0 ||
	    check_part(parts, "the secret key", parts->secret_key, CREDENTIALS_KEY_MAX, e) != 0)
		return NULL;
	if (parts->session_token.n > 0 && check_part(parts, "the session token", parts->session_token,
						     CREDENTIALS_SESSION_TOKEN_MAX, e) != 0)
		return NULL;
	return make(parts);
}

struct credentials *credentials_with_expiry(const struct credentials *c, int64_t expires_wall_us)
{
	struct credentials_parts parts = {
		.provider = c->provider,
		.access_key = slice_str(c->access_key),
		.secret_key = secret_slice(&c->secret_key),
		.session_token = secret_slice(&c->session_token),
		.account_id = slice_str(c->account_id),
		.expires_wall_us = expires_wall_us,
		.renewable = c->renewable,
	};

	return make(&parts); /* they were valid once */
}

struct credentials *credentials_ref(struct credentials *c)
{
	if (c)
		atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void credentials_unref(struct credentials *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	mem_free_str_wipe(c->access_key);
	secret_clear(&c->secret_key);
	secret_clear(&c->session_token);
	free(c->account_id);
	free(c);
}

bool credentials_valid_at(const struct credentials *c, int64_t wall_us)
{
	return c->expires_wall_us == 0 || wall_us < c->expires_wall_us;
}

void credentials_mask(const struct credentials *c, char out[CREDENTIALS_MASK_SIZE])
{
	size_t n = strlen(c->access_key);

	if (n >= 12)
		snprintf(out, CREDENTIALS_MASK_SIZE, "%.4s****%s", c->access_key, c->access_key + n - 4);
	else
		snprintf(out, CREDENTIALS_MASK_SIZE, "%.2s****", c->access_key);
}
