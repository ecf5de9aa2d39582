/* A scanner over tags with a stack of the names that are open. The way down the path is a count: as many of
 * its names as the innermost open elements spell from the root. */
#include "aws/xml.h"

#include <stdint.h>
#include <string.h>
#include "base/rd.h"

struct xml {
	struct rd rd;
	struct slice open[XML_DEPTH_MAX]; /* names */
	size_t depth;
	const char *path;
	size_t wanted, matched; /* names in the path; open ones that spell its beginning */
	bool inside;            /* the element wanted */
	bool done;
	struct buf *out;
};

static size_t count_names(const char *path)
{
	size_t n = 1;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static bool is_name(struct xml *x, size_t which, struct slice name)
{
	const char *p = x->path;

	for (; which > 0; which--)
		p = strchr(p, '/') + 1;
	return slice_eq(name, slice_of(p, strcspn(p, "/")));
}

/* Up to the next c, which is taken as well; bad if there is none. */
static struct slice until(struct rd *r, unsigned char c)
{
	const unsigned char *at = r->left ? memchr(r->p, c, r->left) : NULL;
	struct slice s = {NULL, 0};

	if (!at) {
		rd_fail(r);
		return s;
	}
	s = rd_bytes(r, (size_t)(at - r->p));
	rd_u8(r);
	return s;
}

static bool is_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "name attributes /": what is left of a tag up to '>', quotes respected. Sets empty if it ends in '/'. */
static struct slice take_tag(struct rd *r, bool *empty)
{
	const unsigned char *begin = r->p;
	struct slice name = {begin, 0};
	unsigned char quote = 0, last = 0;
	bool named = false;

	for (;;) {
		unsigned char c = rd_u8(r);

		if (!rd_ok(r) || (c == '<' && !quote)) {
			rd_fail(r);
			return name;
		}
		if (!quote && c == '>')
			break;
		if (!named && (is_space(c) || c == '/'))
			named = true;
		name.n += !named;
		if (quote ? c == quote : c == '"' || c == '\'')
			quote = quote ? 0 : c;
		last = c;
	}
	*empty = last == '/';
	if (name.n == 0)
		rd_fail(r);
	return name;
}

/* A namespace's prefix does not count. */
static struct slice local(struct slice name)
{
	const unsigned char *colon = memchr(name.p, ':', name.n);

	return colon ? slice_of(colon + 1, name.n - (size_t)(colon + 1 - name.p)) : name;
}

static void close_element(struct xml *x)
{
	if (x->inside && x->depth == x->wanted)
		x->done = true;
	x->depth--;
	if (x->matched > x->depth)
		x->matched = x->depth;
}

static void open_element(struct xml *x, struct slice name, bool empty)
{
	if (x->inside || x->depth == XML_DEPTH_MAX) {
		rd_fail(&x->rd);
		return;
	}
	if (x->matched == x->depth && x->matched < x->wanted && is_name(x, x->matched, local(name)))
		x->matched++;
	x->open[x->depth++] = name;
	x->inside = x->matched == x->wanted && x->depth == x->wanted;
	if (empty)
		close_element(x);
}

/* <?...?> and <!--...-->; every other <! is refused. */
static void skip_markup(struct xml *x, unsigned char kind)
{
	struct rd *r = &x->rd;
	unsigned char a = 0, b = 0, c;

	if (kind == '!' && !slice_eq_str(rd_bytes(r, 2), "--")) {
		rd_fail(r);
		return;
	}
	while (rd_ok(r)) {
		c = rd_u8(r);
		if (c == '>' && (kind == '?' ? b == '?' : a == '-' && b == '-'))
			return;
		a = b;
		b = c;
	}
}

static void take_markup(struct xml *x)
{
	struct rd *r = &x->rd;
	struct slice name;
	bool empty = false;

	if (r->left > 0 && (*r->p == '?' || *r->p == '!')) {
		skip_markup(x, rd_u8(r));
		return;
	}
	if (r->left > 0 && *r->p == '/') {
		rd_u8(r);
		name = until(r, '>');
		while (name.n > 0 && is_space(name.p[name.n - 1]))
			name.n--;
		if (x->depth == 0 || !slice_eq(name, x->open[x->depth - 1]))
			rd_fail(r);
		else
			close_element(x);
		return;
	}
	name = take_tag(r, &empty);
	if (rd_ok(r))
		open_element(x, name, empty);
}

static void add_utf8(struct buf *out, uint32_t cp)
{
	if (cp < 0x80) {
		buf_add_char(out, (char)cp);
	} else if (cp < 0x800) {
		buf_add_char(out, (char)(0xc0 | cp >> 6));
		buf_add_char(out, (char)(0x80 | (cp & 0x3f)));
	} else {
		if (cp < 0x10000) {
			buf_add_char(out, (char)(0xe0 | cp >> 12));
		} else {
			buf_add_char(out, (char)(0xf0 | cp >> 18));
			buf_add_char(out, (char)(0x80 | (cp >> 12 & 0x3f)));
		}
		buf_add_char(out, (char)(0x80 | (cp >> 6 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (cp & 0x3f)));
	}
}

static int digit_of(unsigned char c, unsigned base)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (base == 16 && (c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return -1;
}

static void add_number(struct xml *x, struct slice digits)
{
	unsigned base = digits.n > 0 && (digits.p[0] | 32) == 'x' ? 16 : 10;
	uint32_t cp = 0;
	size_t i = base == 16;

	if (i == digits.n || digits.n > 8)
		rd_fail(&x->rd);
	for (; i < digits.n; i++) {
		int d = digit_of(digits.p[i], base);

		if (d < 0)
			rd_fail(&x->rd);
		cp = cp * base + (uint32_t)(d < 0 ? 0 : d);
	}
	if (cp == 0 || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		rd_fail(&x->rd);
	else
		add_utf8(x->out, cp);
}

static void add_entity(struct xml *x)
{
	static const struct {
		const char *name;
		char c;
	} entities[] = {
		{"amp",  '&' },
                {"lt",   '<' },
                {"gt",   '>' },
                {"quot", '"' },
                {"apos", '\''}
        };
	struct slice name = until(&x->rd, ';');

	if (name.n > 1 && name.p[0] == '#') {
		add_number(x, slice_of(name.p + 1, name.n - 1));
		return;
	}
	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
		if (slice_eq_str(name, entities[i].name)) {
			buf_add_char(x->out, entities[i].c);
			return;
		}
	}
	rd_fail(&x->rd);
}

int xml_text(struct slice document, const char *path, struct buf *out)
{
	struct xml x = {.rd = rd_init(document), .path = path, .wanted = count_names(path), .out = out};

	while (rd_ok(&x.rd) && x.rd.left > 0 && !x.done) {
		unsigned char c = rd_u8(&x.rd);

		if (c == '<')
			take_markup(&x);
		else if (!x.inside)
			continue;
		else if (c == '&')
			add_entity(&x);
		else
			buf_add_char(out, (char)c);
	}
	if (!rd_ok(&x.rd) || out->full)
		return -1;
	return x.done ? 0 : x.depth > 0 ? -1 : 1;
}
