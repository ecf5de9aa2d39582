/* Where the control thread's and the workers' log lines go. */
#ifndef PGIAM_APP_CONTROL_LOG_H
#define PGIAM_APP_CONTROL_LOG_H

#include "app/conf.h"
#include "io/log_writer.h"

struct control_log {
	struct log *log;           /* the control thread's own */
	struct log_writer *writer; /* everybody's sink */
	int fd;                    /* 2, or the log file */
};

/* Opens the log file or takes stderr, and starts the writer. */
int control_log_open(struct control_log *l, const struct conf *c, struct err *e);

/* Logs what loading had to say. */
void control_log_problems(struct control_log *l, const struct conf_problem *p, size_t count);

/* Gives the writer a moment to finish. Works on a zeroed struct. */
void control_log_close(struct control_log *l);

/* The same, before the process exits while other threads may still log. */
void control_log_abandon(struct control_log *l);

#endif
