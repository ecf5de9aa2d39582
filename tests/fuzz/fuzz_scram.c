/* pg/scram: the client against a hostile server. The input is server-first-message, newline,
 * server-final-message. The target knows what the client must have signed, so it can also play the honest
 * server. */
#include <stdint.h>
#include <stdlib.h>
#include "base/enc.h"
#include "pg/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char nonce[SCRAM_NONCE_BYTES] = "abcdefghijklmnopq";
static const unsigned char salted[SCRAM_KEY_BYTES] = "0123456789abcdef0123456789abcde";

static void must(bool ok)
{
	if (!ok)
		abort();
}

struct run {
	struct scram_client *c;
	struct buf first;  /* of the client */
	struct buf final;  /* of the client */
	struct buf answer; /* of an honest server */
};

/* n=...: what follows the GS2 header "y,,". */
static struct slice bare(const struct buf *first)
{
	return slice_of(first->p + 3, first->n - 3);
}

static void honest_answer(struct run *r, struct slice server_first)
{
	unsigned char proof[SCRAM_KEY_BYTES], signature[SCRAM_KEY_BYTES];
	struct buf auth, tail;

	buf_init(&auth, 1 << 16);
	buf_init(&tail, 100);
	buf_add_slice(&auth, bare(&r->first));
	buf_add_char(&auth, ',');
	buf_add_slice(&auth, server_first);
	buf_add_char(&auth, ',');
	/* ",p=" and 44 characters of base64 end the client's last message */
	must(r->final.n > 47);
	buf_add(&auth, r->final.p, r->final.n - 47);
	scram_sign(salted, buf_slice(&auth), proof, signature);
	buf_add_str(&tail, ",p=");
	enc_base64(&tail, slice_of(proof, sizeof(proof)));
	must(slice_eq(buf_slice(&tail), slice_of(r->final.p + r->final.n - 47, 47)));
	buf_add_str(&r->answer, "v=");
	enc_base64(&r->answer, slice_of(signature, sizeof(signature)));
	buf_free(&auth);
	buf_free(&tail);
}

static void exchange(struct run *r, struct slice server_first, struct slice server_final)
{
	struct err e = {0};
	bool good;

	must(scram_client_first(r->c, &r->first) == 0);
	if (scram_client_server_first(r->c, server_first, &e) != 0) {
		must(e.code == ERR_SERVER_PROTOCOL && e.msg[0]);
		must(scram_client_verify(r->c, server_final, &e) != 0);
		return;
	}
	must(scram_client_salt(r->c).n > 0 && scram_client_salt(r->c).n <= SCRAM_MAX_SALT);
	must(scram_client_iterations(r->c) >= 1 && scram_client_iterations(r->c) <= SCRAM_MAX_ITERATIONS);
	must(scram_client_final(r->c, salted, &r->final) == 0);
	honest_answer(r, server_first);
	if (slice_eq_str(server_final, "honest"))
		server_final = buf_slice(&r->answer);
	good = slice_eq(server_final, buf_slice(&r->answer));
	must((scram_client_verify(r->c, server_final, &e) == 0) == good);
	if (!good)
		must(e.code == ERR_SERVER_PROTOCOL || (e.code == ERR_AUTH_PASSWORD && e.from_server));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
	size_t n = newline ? (size_t)(newline - data) : size;
	struct slice rest = newline ? slice_of(newline + 1, size - n - 1) : slice_str("");
	struct run r = {.c = scram_client_new(nonce, SCRAM_BIND_UNUSED, slice_str(""))};

	buf_init(&r.first, 1000);
	buf_init(&r.final, 1 << 16);
	buf_init(&r.answer, 100);
	exchange(&r, slice_of(data, n), rest);
	scram_client_free(r.c);
	buf_free(&r.first);
	buf_free(&r.final);
	buf_free(&r.answer);
	return 0;
}
