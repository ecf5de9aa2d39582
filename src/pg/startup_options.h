/* The `options` startup parameter: a backend command line, "-c name=value --name=value", with backslash
 * escaping white space (backend utils/init/postinit.c, pg_split_opts; tcop process_postgres_switches). */
#ifndef PGIAM_PG_STARTUP_OPTIONS_H
#define PGIAM_PG_STARTUP_OPTIONS_H

#include "base/err.h"
#include "pg/params.h"

/* Takes the settings out of options and sets them in out ('-' in a name becomes '_', as PostgreSQL does). -1
 * with e (ERR_STARTUP_PARAM) and out unchanged for anything that is not -c or --name=value, and for a name
 * that cannot be a setting's or has a meaning of its own in the startup packet (user, database, replication,
 * options, _pq_.*): the caller then passes the text on as it is or refuses. Always ends (pitfall 74).
 * PostgreSQL applies options first: a startup parameter of the same name holds against it. */
int startup_options_parse(const char *options, struct params *out, struct err *e);

#endif
