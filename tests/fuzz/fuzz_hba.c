/* proxy/hba: an auth_hba_file and, over the same bytes, an auth_ident_file; and questions to both. */
#include <stdint.h>
#include <stdlib.h>
#include "proxy/hba.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void ask(const struct hba *h)
{
	static const char *const ips[] = {"127.0.0.1", "192.0.2.1", "::1", "::ffff:10.0.0.1"};
	struct hba_answer a;

	for (unsigned i = 0; i < 32; i++) {
		struct addr peer;
		struct hba_client c = {.peer = &peer,
		                       .local = i & 4,
		                       .tls = i & 8,
		                       .replication = i & 16,
		                       .database = i & 1 ? "joe" : "app",
		                       .user = "joe"};

		must(addr_parse(&peer, ips[i & 3], 1) == 0);
		if (hba_find(h, &c, &a))
			must(hba_uses(h, a.method) > 0 && (!a.map || a.method == AUTH_TYPE_PEER || a.method == AUTH_TYPE_CERT) &&
			     (a.method != AUTH_TYPE_TRUST || c.local || addr_is_loopback(&peer) || hba_trusts_remote(h) > 0));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = {0};
	struct hba *h = hba_parse(slice_of(data, size), &e);
	struct hba_ident *m;

	if (h)
		ask(h);
	else
		must(e.code == ERR_CONFIG && strstr(e.msg, "line "));
	e = (struct err){0};
	m = hba_ident_parse(slice_of(data, size), &e);
	if (m)
		hba_ident_allows(m, "m", "joe", "joe");
	else
		must(e.code == ERR_CONFIG && strstr(e.msg, "line "));
	if (h)
		hba_missing_map(h, m);
	hba_free(h);
	hba_ident_free(m);
	return 0;
}
