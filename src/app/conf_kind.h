/* Which kind of server a host name says it is: aws/endpoint knows the names, proxy/profile the servers. */
#ifndef PGIAM_APP_CONF_KIND_H
#define PGIAM_APP_CONF_KIND_H

#include "proxy/profile.h"

/* PROFILE_POSTGRES for the name of no AWS endpoint. */
enum profile_kind conf_kind_of_host(const char *host);

#endif
