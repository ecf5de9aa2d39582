/* Splitting by hand instead of with a URI parser: what a general parser forgives (user info, escapes) must
 * not pass here. */
#include "http/host.h"

#include <stdint.h>
#include <strings.h>
#include "io/addr.h"

#define HOST_MAX 255 /* the longest DNS name; no address is longer */

static bool is_port(struct slice s)
{
	if (s.n == 0 || s.n > 5)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

/* Cuts ":port" off; the rest is the host, without brackets. */
static bool split(struct slice value, struct slice *host, bool *bracketed)
{
	const unsigned char *end;

	*bracketed = value.n > 0 && value.p[0] == '[';
	if (*bracketed) {
		end = memchr(value.p, ']', value.n);
		if (end == NULL)
			return false;
		*host = slice_of(value.p + 1, (size_t)(end - value.p) - 1);
		end++;
	} else {
		end = memchr(value.p, ':', value.n);
		if (end == NULL)
			end = value.p + value.n;
		*host = slice_of(value.p, (size_t)(end - value.p));
	}
	struct slice rest = slice_of(end, value.n - (size_t)(end - value.p));

	return rest.n == 0 || (rest.p[0] == ':' && is_port(slice_of(rest.p + 1, rest.n - 1)));
}

static bool is_name_char(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.' || c == '_';
}

enum host_verdict host_check(struct slice value, const char *const *names)
{
	static const char *const own[] = {"localhost", NULL};
	const char *const *const lists[] = {own, names};
	struct slice host;
	bool bracketed;
	char text[HOST_MAX + 1];
	struct addr a;

	if (value.n == 0 || value.n > HOST_MAX || !split(value, &host, &bracketed) || host.n == 0)
		return HOST_BAD;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (bracketed) /* no zone either: it means nothing to another host (RFC 6874 section 4) */
		return strspn(text, "0123456789abcdefABCDEF:.") == host.n && strchr(text, ':') && addr_parse(&a, text, 0) == 0
		               ? HOST_OK : HOST_BAD;
	for (size_t i = 0; i < host.n; i++)
		if (!is_name_char(host.p[i]))
			return HOST_BAD;
	if (addr_parse(&a, text, 0) == 0)
		return HOST_OK;
	if (host.n > 1 && text[host.n - 1] == '.')
		text[host.n - 1] = '\0';
	for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++)
		for (const char *const *n = lists[l]; n && *n; n++)
			if (strcasecmp(text, *n) == 0)
				return HOST_OK;
	return HOST_FOREIGN;
}
