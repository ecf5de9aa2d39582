/* proxy/auth_users: an auth_file; and pg/password, a client's answer, over the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include "proxy/auth_users.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char key[AUTH_KEY_BYTES] = "0123456789abcdef0123456789abcde";

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void ask(const struct auth_users *u, const char *user)
{
	struct auth_secret s;

	auth_users_secret(u, key, user, &s);
	if (s.kind != AUTH_KIND_MD5)
		must(s.scram.iterations >= 1 && s.scram.salt_bytes >= 1 && s.scram.salt_bytes <= SCRAM_SECRET_SALT_MAX);
	must((s.kind == AUTH_KIND_PLAIN) == (s.plain.n > 0));
	auth_secret_clear(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size), rest = in, password, mechanism;
	struct password_sasl m;
	struct err e = {0};
	struct auth_users *u = auth_users_parse(in, &e);

	if (u) {
		ask(u, "joe");
		ask(u, "nobody");
		auth_users_free(u);
	} else {
		must(e.code == ERR_CONFIG && strstr(e.msg, "line "));
	}
	if (password_parse(in, &password, &e) == 0)
		must(password.n > 0 && password.n == size - 1);
	if (password_take_mechanism(&rest, &mechanism, &e) == 0 && password_parse_sasl(rest, &m, &e) == 0)
		must(mechanism.n + m.data.n + 5 == size);
	return 0;
}
