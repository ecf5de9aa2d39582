#include "aws/url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "io/addr.h"

static bool host_char(unsigned char c, bool ipv6)
{
	return ipv6 ? isxdigit(c) || c == ':' || c == '.' : isalnum(c) || c == '-' || c == '.' || c == '_';
}

static const char *take_scheme(const char *p, struct url *out)
{
	if (strncasecmp(p, "https://", 8) == 0) {
		out->https = true;
		return p + 8;
	}
	return strncasecmp(p, "http://", 7) == 0 ? p + 7 : NULL;
}

static const char *take_host(const char *p, struct url *out)
{
	struct addr a;
	size_t n = 0;

	out->ipv6 = *p == '[';
	p += out->ipv6;
	while (host_char((unsigned char)*p, out->ipv6)) {
		if (n + 1 >= sizeof(out->host))
			return NULL;
		out->host[n++] = (char)tolower((unsigned char)*p++);
	}
	out->host[n] = '\0';
	if (n == 0)
		return NULL;
	if (!out->ipv6)
		return p;
	return *p == ']' && addr_parse(&a, out->host, 0) == 0 ? p + 1 : NULL;
}

static const char *take_port(const char *p, struct url *out)
{
	unsigned long port = 0;
	int n = 0;

	out->port = out->https ? 443 : 80;
	if (*p != ':')
		return p;
	for (p++; isdigit((unsigned char)*p) && n < 5; p++, n++)
		port = port * 10 + (unsigned long)(*p - '0');
	if (port < 1 || port > 65535)
		return NULL;
	out->port = (uint16_t)port;
	return p;
}

static bool clean_path(const char *p)
{
	if (*p != '/' && *p != '\0' && *p != '?')
		return false;
	for (; *p; p++) {
		if (*p <= ' ' || *p > '~' || *p == '#' || *p == '\\')
			return false;
	}
	return true;
}

int url_parse(const char *text, const char *what, struct url *out, struct err *e)
{
	const char *p;

	memset(out, 0, sizeof(*out));
	p = take_scheme(text, out);
	p = p ? take_host(p, out) : NULL;
	p = p ? take_port(p, out) : NULL;
	if (!p || !clean_path(p))
		return err_set(e, ERR_CREDENTIALS,
			       "%s is not a URL like https://host[:port]/path, without user and fragment",
			       what);
	out->path = p;
	return 0;
}

void url_authority(const struct url *u, char out[URL_AUTHORITY_SIZE])
{
	char port[8] = "";

	if (u->port != (u->https ? 443 : 80))
		snprintf(port, sizeof(port), ":%u", u->port);
	snprintf(out, URL_AUTHORITY_SIZE, "%s%s%s%s", u->ipv6 ? "[" : "", u->host, u->ipv6 ? "]" : "", port);
}

bool url_is_loopback(const struct url *u)
{
	struct addr a;

	if (strcmp(u->host, "localhost") == 0)
		return true;
	return addr_parse(&a, u->host, 0) == 0 && addr_is_loopback(&a);
}
