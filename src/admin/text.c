/* One walk over the input, two sets of escapes. */
#include "admin/text.h"

#include "base/enc.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Length of the character at the front, 0 if it is not UTF-8 (or a NUL). */
static size_t char_length(struct slice in)
{
	for (size_t n = 1; n <= 4 && n <= in.n; n++)
		if (enc_is_utf8(slice_of(in.p, n)))
			return n;
	return 0;
}

static void escape(struct buf *out, struct slice in, void (*ascii)(struct buf *out, unsigned char c))
{
	bool cut = in.n > TEXT_MAX;

	if (cut)
		in.n = TEXT_MAX;
	while (in.n) {
		size_t n = char_length(in);

		if (n == 0 && cut && in.n < 4)
			break; /* probably a character the cut went through */
		if (n == 0)
			buf_add_str(out, REPLACEMENT);
		else if (n == 1)
			ascii(out, in.p[0]);
		else
			buf_add(out, in.p, n);
		in = slice_of(in.p + (n ? n : 1), in.n - (n ? n : 1));
	}
	if (cut)
		buf_add_str(out, "...");
}

static void ascii_label(struct buf *out, unsigned char c)
{
	switch (c) {
	case '\\': buf_add_str(out, "\\\\"); break;
	case '"': buf_add_str(out, "\\\""); break;
	case '\n': buf_add_str(out, "\\n"); break;
	default: buf_add_char(out, (char)c); break;
	}
}

static void ascii_json(struct buf *out, unsigned char c)
{
	if (c == '"' || c == '\\')
		buf_printf(out, "\\%c", c);
	else if (c < 0x20 || c == 0x7f)
		buf_printf(out, "\\u%04x", c);
	else
		buf_add_char(out, (char)c);
}

void text_label(struct buf *out, struct slice in)
{
	escape(out, in, ascii_label);
}

void text_json(struct buf *out, struct slice in)
{
	buf_add_char(out, '"');
	escape(out, in, ascii_json);
	buf_add_char(out, '"');
}
