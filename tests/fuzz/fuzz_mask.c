/* base/mask: of a secret of any length in a text of any kind nothing is left that is as long as a piece, and the text does
 * not grow. The first byte is how long the secret is; the rest is the secret and the text behind it. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* The longest that the two have in common is shorter than n. Slow and plain on purpose. */
static bool common_below(struct slice a, struct slice b, size_t n)
{
	for (size_t i = 0; a.n >= n && i <= a.n - n; i++) {
		for (size_t j = 0; b.n >= n && j <= b.n - n; j++) {
			size_t k = 0;

			while (k < n && tolower(a.p[i + k]) == tolower(b.p[j + k]))
				k++;
			if (k == n)
				return false;
		}
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mask m = {NULL, NULL};
	struct slice secret, text;
	struct buf out;
	char shown[100];

	if (size == 0)
		return 0;
	secret = slice_of(data + 1, data[0] < size - 1 ? data[0] : size - 1);
	text = slice_of(data + 1 + secret.n, size - 1 - secret.n);
	mask_add(&m, secret);
	buf_init(&out, SIZE_MAX);
	mask_text(&m, text, &out);
	must(out.n <= text.n || out.n <= MASK_TEXT_MAX);
	/* the stars might make up one that has such itself */
	if (secret.n >= MASK_SECRET_MIN_BYTES && !memchr(secret.p, '*', secret.n)) {
		size_t n = secret.n < MASK_PIECE_BYTES ? secret.n : MASK_PIECE_BYTES;

		must(common_below(secret, buf_slice(&out), n));
		must(mask_finds(&m, text) || slice_eq(buf_slice(&out), slice_of(text.p, out.n)));
	}
	mask_printable(&m, text, shown, sizeof(shown));
	for (const char *p = shown; *p; p++)
		must((unsigned char)*p >= ' ' && *p != 0x7f);
	buf_free(&out);
	mask_fini(&m);
	return 0;
}
