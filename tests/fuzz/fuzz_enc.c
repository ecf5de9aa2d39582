/* base/enc: what is decoded encodes to the same, and whatever comes is printable, valid UTF-8 and bounded. */
#include <stdint.h>
#include <stdlib.h>
#include "base/enc.h"

#define MAX_BYTES 4096

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void base64(struct slice in)
{
	struct buf raw, text;

	buf_init(&raw, MAX_BYTES);
	buf_init(&text, 2 * MAX_BYTES);
	if (enc_base64_decode(&raw, in) == 0) {
		/* only canonical text is taken */
		must(enc_base64(&text, buf_slice(&raw)) == 0);
		must(slice_eq(buf_slice(&text), in));
	} else {
		must(raw.n == 0);
	}
	buf_free(&raw);
	buf_free(&text);
}

static void escaped(struct slice in, size_t max_bytes)
{
	struct buf out;

	buf_init(&out, MAX_BYTES);
	must(enc_printable(&out, in, max_bytes) == 0);
	must(out.n <= max_bytes && enc_is_utf8(buf_slice(&out)));
	for (size_t i = 0; i < out.n; i++)
		must(out.p[i] >= 0x20 && out.p[i] != 0x7f);
	buf_clear(&out);
	must(enc_json(&out, in, max_bytes) == 0);
	must(out.n <= max_bytes && enc_is_utf8(buf_slice(&out)));
	for (size_t i = 0; i < out.n; i++) {
		must(out.p[i] >= 0x20 && out.p[i] != '"');
		if (out.p[i] == '\\')
			must(++i < out.n && strchr("nrtu\"\\", out.p[i]));
	}
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);

	if (size > MAX_BYTES)
		return 0;
	base64(in);
	escaped(in, MAX_BYTES);
	if (size > 0)
		escaped(slice_of(data + 1, size - 1), data[0]);
	return 0;
}
