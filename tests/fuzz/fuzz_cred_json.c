/* aws/provider_process, aws/sso_cache, aws/login_cache and aws/dpop: any text as the output of a credential_process, as the
 * file of `aws sso login` or of `aws login`, as the sign-in service's answer. What is taken is whole, and a renewed file
 * reads as what was put in. */
#include <stdint.h>
#include <stdlib.h>
#include "aws/dpop.h"
#include "aws/login_cache.h"
#include "aws/provider_profile.h"
#include "aws/sso_cache.h"

#define LATER INT64_C(1768480496000000)

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void process(struct slice text)
{
	struct err e;
	struct credentials *c = provider_process_read(text, &e);

	if (!c)
		must(e.code == ERR_CREDENTIALS && e.msg[0]);
	else
		must(c->access_key[0] && secret_slice(&c->secret_key).n > 0);
	credentials_unref(c);
}

/* The file is the answer as well: it renews itself. */
static void sso(struct slice text)
{
	struct sso_token t, again;
	struct buf out;
	struct err e;

	buf_init_secret(&out, 8 * CACHE_FILE_MAX);
	if (sso_cache_parse(text, &t, &e) == 0) {
		must(t.access.n > 0);
		if (sso_cache_renew(&t, text, LATER) == 0) {
			json_print(t.json, &out);
			must(!out.full && sso_cache_parse(buf_slice(&out), &again, &e) == 0);
			must(slice_eq(again.access, t.access) && slice_eq(again.refresh, t.refresh));
			must(again.expires_wall_us == t.expires_wall_us / 1000000 * 1000000);
			must(again.expires_wall_us > LATER);
			sso_cache_free(&again);
		}
	}
	sso_cache_free(&t);
	buf_free(&out);
}

/* Likewise. */
static void login(struct slice text)
{
	struct login_token t, again;
	struct credentials *c;
	struct buf out;
	struct err e;

	buf_init_secret(&out, 8 * CACHE_FILE_MAX);
	if (login_cache_parse(text, &t, &e) == 0) {
		c = login_cache_credentials(&t, &e);
		must(c || (e.code == ERR_CREDENTIALS && e.msg[0]));
		credentials_unref(c);
		if (login_cache_can_renew(&t) && dpop_proof(t.dpop_key, "https://a/v1/token", LATER, &out, &e) == 0)
			must(out.n > 0 && !out.full);
		buf_clear(&out);
		if (login_cache_renew(&t, text, LATER) == 0) {
			json_print(t.json, &out);
			must(!out.full && login_cache_parse(buf_slice(&out), &again, &e) == 0);
			must(slice_eq(again.refresh, t.refresh) && again.expires_wall_us == t.expires_wall_us / 1000000 * 1000000);
			must(again.expires_wall_us > LATER);
			login_cache_free(&again);
		}
	}
	login_cache_free(&t);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > CACHE_FILE_MAX)
		return 0;
	process(slice_of(data, size));
	sso(slice_of(data, size));
	login(slice_of(data, size));
	return 0;
}
