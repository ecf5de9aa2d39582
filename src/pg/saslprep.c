/* A login must succeed with exactly the passwords that PostgreSQL's own client logs in with, so this keeps to
 * its order of steps, also where RFC 4013 has another. */
#include "base/enc.h"
#include "pg/saslprep.h"
#include "pg/unicode.h"
#include "pg/utf8.h"

/* 18 code points of 4 bytes for one byte is more than any text needs. */
#define MAX_PER_BYTE 72

static bool is_ascii(struct slice in)
{
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] >= 0x80)
			return false;
	return true;
}

/* Mapping (RFC 4013 section 2.1); -1 if in is no UTF-8. */
static int map_characters(const struct unicode *u, struct slice in, struct buf *out)
{
	while (in.n > 0) {
		uint32_t cp = 0;
		size_t n = enc_utf8_next(in, &cp);
		enum unicode_class class = unicode_class_of(u, cp);

		if (n == 0)
			return -1;
		in.p += n;
		in.n -= n;
		if (class == UNICODE_SPACE)
			cp = ' ';
		if (class != UNICODE_NOTHING)
			buf_add(out, &cp, sizeof(cp));
	}
	return 0;
}

/* Sections 2.3, 2.4 and 2.5: nothing prohibited or unassigned; text that runs from right to left does so from
 * its first to its last character. */
static bool is_allowed(const struct unicode *u, const struct buf *text)
{
	const uint32_t *v = (const uint32_t *)(const void *)text->p;
	size_t n = text->n / sizeof(*v);
	bool rtl = false, ltr = false;

	for (size_t i = 0; i < n; i++) {
		enum unicode_class class = unicode_class_of(u, v[i]);

		if (class == UNICODE_BAD)
			return false;
		rtl = rtl || class == UNICODE_RIGHT_TO_LEFT;
		ltr = ltr || class == UNICODE_LEFT_TO_RIGHT;
	}
	if (!rtl)
		return n > 0;
	return !ltr && unicode_class_of(u, v[0]) == UNICODE_RIGHT_TO_LEFT &&
	       unicode_class_of(u, v[n - 1]) == UNICODE_RIGHT_TO_LEFT;
}

int saslprep(struct buf *out, struct slice in)
{
	struct buf mapped, normal, text;
	struct unicode *u;
	int rc = -1;

	if (is_ascii(in))
		return in.n > 0 ? buf_add_slice(out, in) : -1;
	buf_init_secret(&mapped, in.n * sizeof(uint32_t));
	buf_init_secret(&normal, in.n * MAX_PER_BYTE);
	buf_init_secret(&text, in.n * MAX_PER_BYTE);
	u = unicode_new();
	if (map_characters(u, in, &mapped) != 0 || !is_allowed(u, &mapped) ||
	    unicode_nfkc(u, &mapped, &normal) != 0)
		goto out;
	for (size_t i = 0; i < normal.n / sizeof(uint32_t); i++)
		utf8_put(&text, ((const uint32_t *)(const void *)normal.p)[i]);
	rc = buf_add_slice(out, buf_slice(&text));
out:
	unicode_free(u);
	buf_free(&mapped);
	buf_free(&normal);
	buf_free(&text);
	return rc;
}
