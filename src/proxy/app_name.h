/* What a server makes of an application_name. Clients are told it before they have a server, and the server is then told the
 * same by SET: so it has to be what the server would show. Pure. */
#ifndef PGIAM_PROXY_APP_NAME_H
#define PGIAM_PROXY_APP_NAME_H

#include "pg/params.h"

/* name as a server that reported these parameters would show it, owned by the caller. At most 63 bytes, of the name and of what
 * becomes of it (NAMEDATALEN): PostgreSQL counts the former only, but counts again at a SET.
 * Source: PostgreSQL, guc.c (GUC_IS_NAME), variable.c (check_application_name), string.c (pg_clean_ascii: "?" for what is not
 * printable ASCII before version 16, \xHH since). */
char *app_name_shown(const char *name, const struct params *server);

#endif
