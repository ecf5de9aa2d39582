/* pg/parse: the short messages of a server's login. The same bytes are tried as each of them; what parses is
 * built again and must come out equal. */
#include <stdint.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/wr.h"
#include "pg/frame.h"
#include "pg/message.h"
#include "pg/parse.h"
#include "pg/scram.h"
#include "pg/startup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* out holds one message whose body is the input. */
static void same_body(struct buf *out, struct slice in)
{
	must(!out->full && out->n - FRAME_HEAD_BYTES == in.n);
	must(slice_eq(slice_of(out->p + FRAME_HEAD_BYTES, in.n), in));
	buf_clear(out);
}

static void auth(struct slice in)
{
	struct slice data;
	struct buf names;
	uint32_t request;
	int plus, plain;

	if (parse_auth(in, &request, &data) != 0)
		return;
	must(parse_auth_name(request) && data.n == in.n - 4);
	plain = parse_sasl_offers(data, SCRAM_SHA_256);
	plus = parse_sasl_offers(data, SCRAM_SHA_256_PLUS);
	must((plain < 0) == (plus < 0));
	buf_init(&names, 60);
	parse_sasl_names(data, &names);
	must(names.n <= 60);
	for (size_t i = 0; i < names.n; i++)
		must(names.p[i] >= ' ' && names.p[i] <= '_');
	buf_free(&names);
	must(plain < 0 || (data.n > 0 && data.p[data.n - 1] == 0));
}

static void statuses(struct slice in, struct buf *out)
{
	struct slice name, value, key;
	uint32_t pid, version;
	struct err e;

	if (parse_parameter_status(in, &name, &value) == 0) {
		char *n = slice_dup(name), *v = slice_dup(value);

		message_parameter_status(out, n, v);
		same_body(out, in);
		free(n);
		free(v);
	}
	if (parse_backend_key(in, &pid, &key) == 0) {
		must(key.n >= 4 && key.n <= STARTUP_CANCEL_KEY_MAX);
		message_backend_key(out, pid, key);
		same_body(out, in);
	}
	if (parse_ready(in)) {
		message_ready(out, parse_ready(in));
		same_body(out, in);
	}
	if (parse_negotiate(in, STARTUP_3_2, STARTUP_3_0, &version, &e) == 0)
		must(version == STARTUP_3_0 && in.n == 8);
	if (parse_negotiate(in, STARTUP_VERSION(3, 9999), STARTUP_3_0, &version, &e) == 0)
		must(version >> 16 == 3 && version != STARTUP_VERSION(3, 1) && in.n == 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* alone, so that reading over its end is seen */
	unsigned char *p = mem_alloc(size);
	struct slice in = slice_of(p, size);
	struct buf out;

	if (size)
		memcpy(p, data, size);
	buf_init(&out, size + 100);
	auth(in);
	statuses(in, &out);
	buf_free(&out);
	free(p);
	return 0;
}
