/* Read by hand, byte by byte: what a quote means to a word, and a backslash to a line, no splitting at separators can tell. A line
 * that cannot be read is an error with its number: a rule that were dropped, or cut, could let somebody in. */
#include "proxy/auth_token.h"

#include <stdlib.h>
#include "base/buf.h"
#include "base/mem.h"

void auth_line_free(struct auth_line *l)
{
	for (size_t i = 0; i < l->n; i++) {
		for (size_t j = 0; j < l->field[i].n; j++)
			free(l->field[i].item[j].text);
		free(l->field[i].item);
	}
	l->n = 0;
}

bool auth_item_is(const struct auth_item *i, const char *word)
{
	return !i->quoted && strcmp(i->text, word) == 0;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static int wrong(struct err *e, unsigned line, const char *what)
{
	return err_set(e, ERR_CONFIG, "line %u: %s", line, what);
}

/* One item into text; what is wrong with it, or NULL. */
static const char *take_item(struct rd *r, struct buf *text, bool *quoted)
{
	bool inside = false;

	*quoted = false;
	while (r->left > 0) {
		unsigned char c = r->p[0];

		if (!inside && (is_blank(c) || c == ',' || c == '#'))
			break;
		rd_u8(r);
		if (c == '"' && inside && r->left > 0 && r->p[0] == '"') {
			rd_u8(r);
			buf_add_char(text, '"');
		} else if (c == '"') {
			inside = !inside;
			*quoted = true;
		} else {
			buf_add_char(text, (char)c);
		}
	}
	return inside ? "a quote is not closed" : text->full ? "a word is too long" : text->n == 0 && !*quoted ? "a word is missing" : NULL;
}

static void add_item(struct auth_field *f, struct buf *text, bool quoted)
{
	f->item = mem_resize(f->item, (f->n + 1) * sizeof(*f->item));
	f->item[f->n++] = (struct auth_item){.text = mem_strdup(buf_cstr(text)), .quoted = quoted};
}

static void skip_blanks(struct rd *r)
{
	while (r->left > 0 && is_blank(r->p[0]))
		rd_u8(r);
}

/* A field: items, each comma asking for another. */
static const char *take_field(struct rd *r, struct auth_field *f)
{
	for (;;) {
		struct buf text;
		bool quoted;
		const char *why;

		buf_init(&text, AUTH_TOKEN_MAX - 1);
		why = take_item(r, &text, &quoted);
		if (!why && f->n == AUTH_ITEMS_MAX)
			why = "a list is too long";
		if (!why)
			add_item(f, &text, quoted);
		buf_free(&text);
		if (why)
			return why;
		if (r->left == 0 || r->p[0] != ',')
			return NULL;
		rd_u8(r);
		skip_blanks(r);
	}
}

static int parse_line(struct slice text, struct auth_line *l, struct err *e)
{
	struct rd r = rd_init(text);

	if (text.n && memchr(text.p, '\0', text.n))
		return wrong(e, l->line, "there is a NUL in it");
	for (;;) {
		const char *why;

		skip_blanks(&r);
		if (r.left == 0 || r.p[0] == '#')
			return 0;
		if (l->n == AUTH_FIELDS_MAX)
			return wrong(e, l->line, "there are too many words");
		l->field[l->n] = (struct auth_field){0};
		why = take_field(&r, &l->field[l->n++]);
		if (why)
			return wrong(e, l->line, why);
	}
}

/* The next line's text, those it goes on with included. */
static void take_line(struct rd *r, unsigned *number, struct buf *text)
{
	bool more = true;

	while (more && r->left > 0) {
		const unsigned char *end = memchr(r->p, '\n', r->left);
		struct slice s = rd_bytes(r, end ? (size_t)(end - r->p) : r->left);

		if (end)
			rd_u8(r);
		++*number;
		if (s.n > 0 && s.p[s.n - 1] == '\r')
			s.n--;
		more = s.n > 0 && s.p[s.n - 1] == '\\';
		buf_add_slice(text, slice_of(s.p, s.n - more));
	}
}

int auth_line_next(struct rd *r, unsigned *number, struct auth_line *l, struct err *e)
{
	l->n = 0;
	while (r->left > 0) {
		struct buf text;
		int rc;

		l->line = *number + 1;
		buf_init(&text, 65536);
		take_line(r, number, &text);
		rc = text.full ? wrong(e, l->line, "it is too long") : parse_line(buf_slice(&text), l, e);
		buf_free(&text);
		if (rc != 0)
			return -1;
		if (l->n > 0)
			return 1;
	}
	return 0;
}
