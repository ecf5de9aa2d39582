#include "http/http_client.h"

const char *http_client_header_name(enum http_reply_header h)
{
	static const char *const names[] = {
#define X(header, name) [header] = name,
		HTTP_REPLY_TABLE(X)
#undef X
	};
	return names[h];
}
