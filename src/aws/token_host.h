/* Is this a name a token can be signed for? The server compares with its endpoint's own name, and says the
 * same "PAM authentication failed" whatever differs: so this is asked before. Pure. */
#ifndef PGIAM_AWS_TOKEN_HOST_H
#define PGIAM_AWS_TOKEN_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

#define TOKEN_HOST_SIZE 256

/* Lower case, one trailing dot gone. ERR_CONFIG if it is empty or too long. */
int token_host_normalize(const char *host, char out[TOKEN_HOST_SIZE], struct err *e);

/* An IP address in any form getaddrinfo(3) takes for one, with or without brackets. */
bool token_host_is_address(const char *host);

/* Why a token for this name will probably be refused, one finding after another: start with *step = 0; false
 * when there is nothing more. `text` is cut to size. */
bool token_host_warning(const char *host, unsigned *step, char *text, size_t size);

#endif
