/* Which of a client's startup parameters go to the server, and how. Pure. */
#ifndef PGIAM_PROXY_STARTUP_POLICY_H
#define PGIAM_PROXY_STARTUP_POLICY_H

#include "base/err.h"
#include "pg/params.h"
#include "proxy/profile.h"

/* Makes the list for the server from the client's own (application_name left out: it is set when linking) and the
 * database's defaults. ignore: names to leave out, NULL-terminated, or NULL. Where the profile takes no `options`, its
 * settings become parameters; where it takes only some parameters, any other is refused: -1 with ERR_STARTUP_PARAM. */
int startup_policy(const struct profile *p, const struct params *client, const struct params *defaults,
                   const char *const *ignore, struct params *out, struct err *e);

#endif
