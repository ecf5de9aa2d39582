/* Numbers as Prometheus reads them. Pure.
 *
 * Names: pgiam_ and PgBouncer's word where there is one (cl_active, sv_idle, xact, query, maxwait); base
 * units in the name (_seconds, _bytes); counters end in _total. Per database: label database. What the
 * numbers are: doc/pgiam.1. Spec: Prometheus text exposition format 0.0.4. */
#ifndef PGIAM_ADMIN_METRICS_H
#define PGIAM_ADMIN_METRICS_H

#include "admin/collect.h"
#include "admin/info.h"
#include "base/buf.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* r: of COLLECT_STATS. Incomplete if out is full. */
void metrics_render(const struct admin_info *info, const struct collect_result *r, struct buf *out);

#endif
