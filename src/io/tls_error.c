/* OpenSSL's queue of errors, in words. */
#include "io/tls_private.h"

#include <stdio.h>
#include <openssl/err.h>

const char *tls_error_text(char *text, size_t n)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (reason)
		snprintf(text, n, "%s", reason);
	else if (code && ERR_SYSTEM_ERROR(code))
		snprintf(text, n, "system error %d", ERR_GET_REASON(code));
	else if (code)
		snprintf(text, n, "OpenSSL error %08lX", code);
	else
		snprintf(text, n, "unknown TLS error");
	ERR_clear_error();
	return text;
}
