/* Each finding is a row: a condition and what to say. */
#include "aws/token_host.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "aws/token_kind.h"

int token_host_normalize(const char *host, char out[TOKEN_HOST_SIZE], struct err *e)
{
	size_t n = strlen(host);

	if (n > 0 && host[n - 1] == '.')
		n--;
	if (n == 0 || n >= TOKEN_HOST_SIZE)
		return err_set(e, ERR_CONFIG, "host name is %s", n ? "too long" : "empty");
	for (size_t i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)host[i]);
	out[n] = '\0';
	return 0;
}

/* inet_aton's short forms ("127.1", "0x7f000001") are addresses as well: a name whose last label is a number
 * is. */
static bool last_label_is_number(const char *host)
{
	size_t n = strlen(host), begin;

	if (n > 0 && host[n - 1] == '.')
		n--;
	for (begin = n; begin > 0 && host[begin - 1] != '.'; begin--)
		;
	if (begin == n)
		return false;
	if (n - begin > 2 && host[begin] == '0' && (host[begin + 1] == 'x' || host[begin + 1] == 'X'))
		return strspn(host + begin + 2, "0123456789abcdefABCDEF") >= n - begin - 2;
	return strspn(host + begin, "0123456789") >= n - begin;
}

bool token_host_is_address(const char *host)
{
	return strchr(host, ':') != NULL || host[0] == '[' || last_label_is_number(host);
}

static bool is_localhost(const char *host)
{
	char name[TOKEN_HOST_SIZE];
	size_t n;

	if (token_host_normalize(host, name, NULL) != 0)
		return false;
	n = strlen(name);
	return strcmp(name, "localhost") == 0 || strcmp(name, "localhost.localdomain") == 0 ||
	       (n > 10 && strcmp(name + n - 10, ".localhost") == 0); /* RFC 6761 */
}

static bool is_upper(const char *host)
{
	for (; *host; host++) {
		if (isupper((unsigned char)*host))
			return true;
	}
	return false;
}

static bool has_trailing_dot(const char *host)
{
	size_t n = strlen(host);

	return n > 0 && host[n - 1] == '.';
}

static bool is_foreign(const char *host)
{
	enum aws_token token;

	return !token_host_is_address(host) && !is_localhost(host) && !token_kind_of_host(host, &token);
}

static const struct {
	bool (*found)(const char *host);
	const char *text;
} findings[] = {
	{token_host_is_address, "is an IP address; a token is only good for the endpoint's own name"     },
	{is_localhost,
	 "is this machine; a token is only good for the endpoint's own name, also through a tunnel"      },
	{is_foreign,
	 "does not look like an RDS endpoint; a token is only good for the endpoint's own name, not for a "
	 "CNAME of it"										   },
	{is_upper,              "has upper-case letters; the signature covers it in lower case"          },
	{has_trailing_dot,      "ends with a dot, which is signed as it is; the endpoint's name has none"},
};

bool token_host_warning(const char *host, unsigned *step, char *text, size_t size)
{
	while (*step < sizeof(findings) / sizeof(findings[0])) {
		unsigned i = (*step)++;

		if (findings[i].found(host)) {
			snprintf(text, size, "host \"%s\" %s", host, findings[i].text);
			return true;
		}
	}
	return false;
}
