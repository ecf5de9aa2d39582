/* A decoder of our own: libc's depend on the locale, and a daemon's locale is whatever its unit file says. */
#include "pg/utf8.h"

/* What the first byte says: how many follow, the bits it carries, the least value that may be coded so. */
struct lead {
	unsigned char mask, bits, more;
	uint32_t least;
};

static const struct lead leads[] = {
	{0x80, 0x00, 0, 0      },
	{0xe0, 0xc0, 1, 0x80   },
	{0xf0, 0xe0, 2, 0x800  },
	{0xf8, 0xf0, 3, 0x10000},
};

int utf8_next(struct slice *in, uint32_t *cp)
{
	if (in->n == 0)
		return 0;
	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
		const struct lead *l = &leads[i];
		uint32_t v = in->p[0] & (unsigned char)~l->mask;

		if ((in->p[0] & l->mask) != l->bits)
			continue;
		if (in->n <= l->more)
			return 0;
		for (size_t k = 1; k <= l->more; k++) {
			if ((in->p[k] & 0xc0) != 0x80)
				return 0;
			v = v << 6 | (in->p[k] & 0x3f);
		}
		if (v < l->least || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
			return 0;
		*cp = v;
		in->p += l->more + 1u;
		in->n -= l->more + 1u;
		return 1;
	}
	return 0;
}

void utf8_put(struct buf *out, uint32_t cp)
{
	unsigned char b[4];
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	for (size_t k = n; k > 1; k--, cp >>= 6)
		b[k - 1] = (unsigned char)(0x80 | (cp & 0x3f));
	b[0] = (unsigned char)(leads[n - 1].bits | cp);
	buf_add(out, b, n);
}

void utf8_clean(struct buf *out, struct slice in)
{
	uint32_t cp;

	while (in.n > 0 && !out->full) {
		struct slice at = in;

		if (!utf8_next(&in, &cp)) {
			buf_add_char(out, '?');
			in.p++;
			in.n--;
		} else if ((cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7f && cp <= 0x9f)) {
			buf_add_char(out, '?');
		} else {
			buf_add(out, at.p, at.n - in.n);
		}
	}
}
