/* The pages of http_listen.
 *
 *   /metrics    Prometheus
 *   /liveness   200 while every worker answers within 2 s. AWS and databases are not looked at: restarting pgiam would
 *               not mend them.
 *   /startup    200 once pgiam listens and can log in as far as it knows: there are valid credentials, or one login has
 *               succeeded, or no database needs IAM. Stays 200 from then on. Before: why there are no credentials.
 *   /readiness  200 while pgiam takes clients, has the credentials its databases need, and no database counts as not
 *               served (proxy/health.h, over all workers); 503 says what is wrong and why.
 *               ?database=NAME looks at that one alone. A database that is down makes every pod unready at once: use it
 *               only where that is wanted.
 *   /           an index
 *
 * All but /metrics and / answer in JSON. Full messages go to clients on this machine only, others see the cause. */
#ifndef PGIAM_ADMIN_PAGES_H
#define PGIAM_ADMIN_PAGES_H

#include "admin/collect.h"
#include "admin/info.h"
#include "http/http_server.h"

struct pages;

struct pages_deps {
	struct collect *collector; /* borrowed */
	/* Fills *out; want_process: process too. */
	void (*info)(void *arg, bool want_process, struct admin_info *out);
	void *info_arg;
};

struct pages *pages_new(const struct pages_deps *d);

/* Answers what is pending with 503. Before the server and the collector are freed. NULL is fine. */
void pages_free(struct pages *p);

/* For http_server_new; its arg is the struct pages. */
const struct http_route *pages_routes(size_t *count);

#endif
