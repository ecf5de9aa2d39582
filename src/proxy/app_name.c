/* PostgreSQL cuts first and then replaces what it does not show; since version 16 what it puts in is longer than what was there.
 * What is taken for a character is PostgreSQL's as well (pg_utf_mblen: the first byte tells), and not base/enc's: to a name that is
 * no UTF-8 it does the same. */
#include "proxy/app_name.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

#define NAME_MAX_BYTES    63
#define ESCAPES_SINCE     16 /* PostgreSQL's major version */

/* "16.4 (Debian 16.4-1)", "17beta1", "9.6.24" */
static bool escapes(const struct params *server)
{
	const char *version = params_get(server, "server_version");

	return version && strtol(version, NULL, 10) >= ESCAPES_SINCE;
}

/* What the first byte says of a character's length; of what begins none that it is one byte long. */
static size_t utf8_length(unsigned char first)
{
	if (first >= 0xf8)
		return 1;
	return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
}

/* The bytes that are left of a name; of UTF-8 no character is cut in two. */
static size_t cut(const char *name, const struct params *server)
{
	const char *encoding = params_get(server, "server_encoding");
	bool utf8 = encoding && strcmp(encoding, "UTF8") == 0;
	size_t n = strnlen(name, NAME_MAX_BYTES + 1), at = 0;

	if (n <= NAME_MAX_BYTES)
		return n;
	while (at < NAME_MAX_BYTES) {
		size_t takes = utf8 ? utf8_length((unsigned char)name[at]) : 1;

		if (takes > NAME_MAX_BYTES - at)
			break;
		at += takes;
	}
	return at;
}

/* Is it shown as it is, by any server? Nearly every name is. */
static bool is_plain(const char *name)
{
	size_t n = 0;

	while (name[n] >= 32 && name[n] <= 126)
		n++;
	return !name[n] && n <= NAME_MAX_BYTES;
}

static char *shown_by(const char *name, const struct params *server)
{
	bool hex = escapes(server);
	size_t n = cut(name, server);
	struct buf shown;
	char *copy;

	buf_init(&shown, NAME_MAX_BYTES + 1);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];
		bool printable = c >= 32 && c <= 126;
		size_t takes = printable || !hex ? 1 : strlen("\\xHH");

		if (takes > NAME_MAX_BYTES - shown.n)
			break;
		if (printable)
			buf_add_char(&shown, name[i]);
		else if (hex)
			buf_printf(&shown, "\\x%02x", c);
		else
			buf_add_char(&shown, '?');
	}
	copy = mem_strdup(buf_cstr(&shown));
	buf_free(&shown);
	return copy;
}

char *app_name_shown(const char *name, const struct params *server)
{
	return is_plain(name) ? mem_strdup(name) : shown_by(name, server);
}
