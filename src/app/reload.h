/* SIGHUP: reads again what may change while pgiam runs, and is read by nobody else when it does. The configuration itself
 * is not: that takes a restart in this version, and the log says so. */
#ifndef PGIAM_APP_RELOAD_H
#define PGIAM_APP_RELOAD_H

#include "app/conf.h"

/* On the control thread. What cannot be used stays as it was; every part says in the log what became of it. */
void reload_run(const struct conf *c, struct log *log);

#endif
