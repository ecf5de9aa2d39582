/* pg/scram_server and pg/scram_secret: a hostile client, and a secret out of a file. The input is one letter (p, t or
 * anything: -PLUS chosen, offered, not there), client-first-message, newline, client-final-message, newline, secret. The
 * target knows the keys, so that a message that ends in "p=honest" gets the right proof. */
#include <stdint.h>
#include <stdlib.h>
#include "base/digest.h"
#include "base/enc.h"
#include "pg/scram_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HONEST ",p=honest"

static const unsigned char nonce[SCRAM_NONCE_BYTES] = "abcdefghijklmnopq";
static const unsigned char salted[SCRAM_KEY_BYTES] = "0123456789abcdef0123456789abcde";

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct slice take_line(struct slice *in)
{
	const unsigned char *end = in->n ? memchr(in->p, '\n', in->n) : NULL;
	struct slice line = {in->p, end ? (size_t)(end - in->p) : in->n};

	in->p = end ? end + 1 : NULL;
	in->n = end ? in->n - line.n - 1 : 0;
	return line;
}

/* The final message with the right proof where it asks for it. */
static bool prove(struct slice first, struct slice challenge, struct slice final, struct buf *out)
{
	size_t tail = sizeof(HONEST) - 1;
	unsigned char proof[SCRAM_KEY_BYTES], signature[SCRAM_KEY_BYTES];
	const unsigned char *comma = memchr(first.p, ',', first.n), *bare = memchr(comma + 1, ',', first.n - 1 - (size_t)(comma - first.p));
	struct buf auth;

	if (final.n < tail || memcmp(final.p + final.n - tail, HONEST, tail) != 0) {
		buf_add_slice(out, final);
		return false;
	}
	buf_init(&auth, 1 << 16);
	buf_add(&auth, bare + 1, first.n - 1 - (size_t)(bare - first.p));
	buf_add_char(&auth, ',');
	buf_add_slice(&auth, challenge);
	buf_add_char(&auth, ',');
	buf_add(&auth, final.p, final.n - tail);
	scram_sign(salted, buf_slice(&auth), proof, signature);
	buf_add(out, final.p, final.n - tail);
	buf_add_str(out, ",p=");
	enc_base64(out, slice_of(proof, sizeof(proof)));
	buf_free(&auth);
	return true;
}

static void exchange(struct scram_server *s, struct slice first, struct slice final)
{
	struct buf challenge, last, verdict;
	struct scram_keys keys;
	struct err e = {0};

	buf_init(&challenge, 1 << 16);
	buf_init(&last, 1 << 16);
	buf_init(&verdict, 1000);
	scram_keys_make(salted, &keys);
	if (scram_server_first(s, first, slice_str("0123456789abcdef"), 4096, &challenge, &e) != 0) {
		must(e.code && e.msg[0] && challenge.n == 0);
	} else {
		bool honest = prove(first, buf_slice(&challenge), final, &last);

		e = (struct err){0};
		if (scram_server_final(s, buf_slice(&last), &e) != 0)
			must(e.code && e.msg[0]);
		else
			must(scram_server_verify(s, &keys, &verdict) == honest && verdict.n == 46);
	}
	buf_free(&challenge);
	buf_free(&last);
	buf_free(&verdict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char how = size ? (char)data[0] : 'n';
	struct slice in = slice_of(data, size ? 1 : 0), first, final;
	struct scram_secret secret;
	struct scram_server *s;
	struct err e;

	in = size ? slice_of(data + 1, size - 1) : in;
	first = take_line(&in);
	final = take_line(&in);
	s = scram_server_new(&(struct scram_server_opts){
		.nonce = nonce,
		.plus = how == 'p',
		.plus_offered = how == 'p' || how == 't',
		.binding_data = slice_str(how == 'p' || how == 't' ? "hash of a certificate" : ""),
	});
	exchange(s, first, final);
	scram_server_free(s);
	if (scram_secret_parse(in, &secret, &e) == 0)
		must(secret.salt_bytes >= 1 && secret.salt_bytes <= SCRAM_SECRET_SALT_MAX && secret.iterations >= 1 &&
		     secret.iterations <= SCRAM_MAX_ITERATIONS);
	else
		must(e.code == ERR_CONFIG);
	return 0;
}
