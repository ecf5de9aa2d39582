/* The control thread: opens everything, starts the workers, then serves signals, HTTP and AWS until told to
 * stop.
 *
 * SIGTERM   accepts no more, lets transactions finish for shutdown_timeout, ends with 0
 * SIGINT    the same with a grace of CONTROL_INT_GRACE_US at most
 * SIGQUIT, or a second SIGTERM or SIGINT: at once
 * SIGHUP    reads certificates, keys, CA files and those of auth_file again (app/reload.h)
 *
 * Nothing that fails after the start ends the process: no credentials, no database, no name service. */
#ifndef PGIAM_APP_CONTROL_H
#define PGIAM_APP_CONTROL_H

#include "app/conf.h"
#include "app/inherited.h"

#define CONTROL_INT_GRACE_US 2000000

struct control_opts {
	struct conf *conf;                   /* borrowed */
	const char *const *env;              /* as environ(7) */
	const struct conf_problem *problems; /* warnings of loading, to be logged */
	size_t problem_count;
	struct inherited *inherited; /* borrowed: inherited_take's */
};

/* First of all: no core files, no closed stderr, signals wait (base/harden.h, io/process.h). */
int control_prepare(struct err *e);

/* On the main thread. 0 after a clean end; -1 with e set if something could not be started (told in
 * the log too, once there is one), or connections had to be abandoned. */
int control_run(const struct control_opts *o, struct err *e);

#endif
