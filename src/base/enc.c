/* Both escapers share one loop that knows about characters and about cutting; they differ only in
 * how one character is spelled. */
#include "base/enc.h"

static const char HEX_LOWER[] = "0123456789abcdef";
static const char HEX_UPPER[] = "0123456789ABCDEF";
static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char BASE64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Leaves out as it was if not all fits. */
static int undo(struct buf *out, size_t n)
{
	out->n = n;
	return -1;
}

int enc_hex(struct buf *out, struct slice in)
{
	size_t before = out->n;

	for (size_t i = 0; i < in.n; i++) {
		char two[2] = {HEX_LOWER[in.p[i] >> 4], HEX_LOWER[in.p[i] & 15]};

		if (buf_add(out, two, 2) != 0)
			return undo(out, before);
	}
	return 0;
}

static int base64(struct buf *out, struct slice in, const char *alphabet, bool padded)
{
	size_t before = out->n;

	for (size_t i = 0; i < in.n; i += 3) {
		size_t n = in.n - i < 3 ? in.n - i : 3;
		uint32_t w = (uint32_t)in.p[i] << 16 | (n > 1 ? (uint32_t)in.p[i + 1] << 8 : 0) |
			     (n > 2 ? in.p[i + 2] : 0);
		char four[4] = {alphabet[w >> 18], alphabet[w >> 12 & 63], n > 1 ? alphabet[w >> 6 & 63] : '=',
				n > 2 ? alphabet[w & 63] : '='};

		if (buf_add(out, four, padded ? 4 : n + 1) != 0)
			return undo(out, before);
	}
	return 0;
}

int enc_base64(struct buf *out, struct slice in)
{
	return base64(out, in, BASE64, true);
}

int enc_base64url(struct buf *out, struct slice in)
{
	return base64(out, in, BASE64URL, false);
}

static int base64_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int enc_base64_decode(struct buf *out, struct slice in)
{
	size_t before = out->n;

	if (in.n % 4 != 0)
		return -1;
	for (size_t i = 0; i < in.n; i += 4) {
		bool last = in.n - i == 4;
		size_t pad = !last || in.p[i + 3] != '=' ? 0 : in.p[i + 2] != '=' ? 1 : 2;
		unsigned char three[3];
		uint32_t w = 0;

		for (size_t j = 0; j < 4 - pad; j++) {
			int v = base64_value(in.p[i + j]);

			if (v < 0)
				return undo(out, before);
			w |= (uint32_t)v << (18 - 6 * j);
		}
		if (w & ((1U << 8 * pad) - 1)) /* bits that stand for no byte must be zero */
			return undo(out, before);
		three[0] = (unsigned char)(w >> 16);
		three[1] = (unsigned char)(w >> 8);
		three[2] = (unsigned char)w;
		if (buf_add(out, three, 3 - pad) != 0)
			return undo(out, before);
	}
	return 0;
}

int enc_percent(struct buf *out, struct slice in)
{
	size_t before = out->n;

	for (size_t i = 0; i < in.n; i++) {
		unsigned char c = in.p[i];
		bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			     c == '-' || c == '.' || c == '_' || c == '~';
		char three[3] = {'%', HEX_UPPER[c >> 4], HEX_UPPER[c & 15]};

		if (plain ? buf_add(out, &c, 1) : buf_add(out, three, 3))
			return undo(out, before);
	}
	return 0;
}

/* Of the character that begins with this byte; 0 if none does. */
static size_t utf8_length(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc0 || lead >= 0xf8)
		return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

size_t enc_utf8_next(struct slice in, uint32_t *cp)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char lead = in.n ? in.p[0] : 0xff;
	size_t n = utf8_length(lead);
	uint32_t v;

	if (n == 0 || n > in.n)
		return 0;
	v = n == 1 ? lead : lead & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((in.p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (in.p[i] & 0x3f);
	}
	if (v < smallest[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*cp = v;
	return n;
}

bool enc_is_utf8(struct slice in)
{
	while (in.n) {
		uint32_t cp = 0;
		size_t n = enc_utf8_next(in, &cp);

		if (n == 0 || cp == 0)
			return false;
		in.p += n;
		in.n -= n;
	}
	return true;
}

/* Characters that steer a terminal or turn the order of what a reader sees. */
static bool is_control(uint32_t cp)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {
		{0x00, 0x1f},     {0x7f, 0x9f},     {0x200b, 0x200f},   {0x2028, 0x202e},
		{0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (cp >= ranges[i].from && cp <= ranges[i].to)
			return true;
	return false;
}

/* The short escapes of C and JSON, or 0. */
static char short_escape(uint32_t cp)
{
	switch (cp) {
	case '\n': return 'n';
	case '\r': return 'r';
	case '\t': return 't';
	case '"':
	case '\\': return (char)cp;
	default: return 0;
	}
}

/* How one character is spelled: at most ENC_SPELL bytes. bytes: one character, or one byte that is none
 * (then cp is ENC_INVALID). Returns the length. */
#define ENC_SPELL   16
#define ENC_INVALID UINT32_MAX
typedef size_t (*spell_fn)(struct slice bytes, uint32_t cp, char out[ENC_SPELL]);

static size_t spell_plain(struct slice bytes, uint32_t cp, char out[ENC_SPELL])
{
	char esc = short_escape(cp);
	size_t n = 0;

	if (esc) {
		out[0] = '\\';
		out[1] = esc;
		return 2;
	}
	if (cp != ENC_INVALID && !is_control(cp)) {
		memcpy(out, bytes.p, bytes.n);
		return bytes.n;
	}
	for (size_t i = 0; i < bytes.n; i++) {
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = HEX_LOWER[bytes.p[i] >> 4];
		out[n++] = HEX_LOWER[bytes.p[i] & 15];
	}
	return n;
}

static size_t spell_u(char *out, uint32_t unit)
{
	out[0] = '\\';
	out[1] = 'u';
	for (unsigned i = 0; i < 4; i++)
		out[2 + i] = HEX_LOWER[unit >> (12 - 4 * i) & 15];
	return 6;
}

static size_t spell_json(struct slice bytes, uint32_t cp, char out[ENC_SPELL])
{
	if (cp == ENC_INVALID)
		return spell_u(out, 0xfffd);
	if (short_escape(cp) || !is_control(cp))
		return spell_plain(bytes, cp, out);
	if (cp < 0x10000)
		return spell_u(out, cp);
	spell_u(out, 0xd800 + ((cp - 0x10000) >> 10));
	return 6 + spell_u(out + 6, 0xdc00 + (cp & 0x3ff));
}

static int escape(struct buf *out, struct slice in, size_t max_bytes, spell_fn spell)
{
	static const char dots[] = "...";
	size_t dots_n = max_bytes < 3 ? max_bytes : 3;
	size_t before = out->n, cut = out->n;

	while (in.n) {
		char text[ENC_SPELL];
		uint32_t cp = ENC_INVALID;
		size_t took = enc_utf8_next(in, &cp), n;

		if (took == 0)
			took = 1;
		n = spell(slice_of(in.p, took), cp, text);
		if (n > max_bytes - (out->n - before)) {
			out->n = cut;
			if (buf_add(out, dots, dots_n) != 0)
				return undo(out, before);
			return 0;
		}
		if (buf_add(out, text, n) != 0)
			return undo(out, before);
		if (out->n - before <= max_bytes - dots_n)
			cut = out->n;
		in.p += took;
		in.n -= took;
	}
	return 0;
}

int enc_printable(struct buf *out, struct slice in, size_t max_bytes)
{
	return escape(out, in, max_bytes, spell_plain);
}

int enc_json(struct buf *out, struct slice in, size_t max_bytes)
{
	return escape(out, in, max_bytes, spell_json);
}
