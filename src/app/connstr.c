/* Stricter than PgBouncer's reader where that would guess: "user= host=x" (is the host the user?), text right
 * behind a closing quote and a quote in the middle of a bare value are mistakes. Messages name places and
 * keys, never values: one of them may be a password. */
#include <ctype.h>
#include <string.h>
#include "app/connstr.h"
#include "base/mem.h"

static const char blanks[] = " \t\r\n";

static bool at_blank(const char *s)
{
	return *s && strchr(blanks, *s);
}

/* A key and the '=' behind it; *s moves on. */
static int take_key(const char *text, const char **s, char key[CONNSTR_KEY_MAX + 1], struct err *e)
{
	size_t n = 0;
	bool blank;

	while (isalnum((unsigned char)(*s)[n]) || (*s)[n] == '_')
		n++;
	if (n == 0 || n > CONNSTR_KEY_MAX)
		return err_set(e, ERR_CONFIG, "expected name=value at character %zu of the value",
			       (size_t)(*s - text) + 1);
	memcpy(key, *s, n);
	key[n] = '\0';
	*s += n;
	blank = at_blank(*s);
	*s += strspn(*s, blanks);
	if (**s != '=')
		return err_set(e, ERR_CONFIG,
			       "expected name=value at character %zu of the value: there is no =",
			       (size_t)(*s - text) + 1);
	(*s)++;
	if (blank)
		*s += strspn(*s, blanks);
	return 0;
}

static int take_quoted(const char **s, const char *key, char *out, struct err *e)
{
	const char *p = *s + 1;
	bool closed = false;

	while (*p && !closed) {
		if (*p != '\'') {
			*out++ = *p++;
		} else if (p[1] == '\'') {
			*out++ = '\'';
			p += 2;
		} else {
			closed = true;
			p++;
		}
	}
	*out = '\0';
	if (!closed)
		return err_set(e, ERR_CONFIG, "the quote of %s is not closed", key);
	if (*p && !at_blank(p))
		return err_set(e, ERR_CONFIG, "there is no blank behind the value of %s", key);
	*s = p;
	return 0;
}

/* A value into out, which has room for all of *s; *s moves on. */
static int take_value(const char **s, const char *key, char *out, struct err *e)
{
	size_t n = strcspn(*s, blanks);

	if (**s == '\'')
		return take_quoted(s, key, out, e);
	if (n == 0)
		return err_set(e, ERR_CONFIG, "%s has no value; an empty one is written ''", key);
	if (memchr(*s, '\'', n))
		return err_set(e, ERR_CONFIG,
			       "there is a quote inside the value of %s: put all of it in quotes, and write "
			       "'' for a quote",
			       key);
	memcpy(out, *s, n);
	out[n] = '\0';
	*s += n;
	return 0;
}

int connstr_parse(const char *text, connstr_cb cb, void *arg, struct err *e)
{
	size_t size = strlen(text) + 1;
	char *value = mem_alloc(size);
	char key[CONNSTR_KEY_MAX + 1];
	int rc = 0;

	for (const char *s = text + strspn(text, blanks); *s && rc == 0; s += strspn(s, blanks))
		if (take_key(text, &s, key, e) != 0 || take_value(&s, key, value, e) != 0 ||
		    cb(arg, key, value, e) != 0)
			rc = -1;
	mem_free_wipe(value, size);
	return rc;
}
