/* A server's text keeps its quotes and lines (a client shall see what PostgreSQL said), so enc_printable is
 * not for it. */
#include "base/enc.h"
#include "pg/utf8.h"

void utf8_put(struct buf *out, uint32_t cp)
{
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
	unsigned char b[4];

	for (size_t k = n; k > 1; k--, cp >>= 6)
		b[k - 1] = (unsigned char)(0x80 | (cp & 0x3f));
	b[0] = (unsigned char)(lead[n] | cp);
	buf_add(out, b, n);
}

static bool is_control(uint32_t cp)
{
	return (cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7f && cp <= 0x9f);
}

void utf8_clean(struct buf *out, struct slice in)
{
	while (in.n > 0 && !out->full) {
		uint32_t cp = 0;
		size_t n = enc_utf8_next(in, &cp);

		if (n == 0 || is_control(cp))
			buf_add_char(out, '?');
		else
			buf_add(out, in.p, n);
		n = n ? n : 1;
		in.p += n;
		in.n -= n;
	}
}
