/* What is wrong with a configuration, as loading finds it: told one by one, and the first one kept. */
#ifndef PGIAM_APP_CONF_PROBLEM_H
#define PGIAM_APP_CONF_PROBLEM_H

#include "app/conf.h"

/* Collects what is wrong: keeps the first error, hands all to the input's callback or the log. */
struct conf_problems {
	const struct conf_input *in;
	struct log *log;
	unsigned errors;
	struct err first; /* with its place in front */
};

/* e's message gets "name: " in front if name is not NULL. */
void conf_problem_error(struct conf_problems *p, const char *where, const char *name, struct err *e);
void conf_problem_note(struct conf_problems *p, enum log_level level, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
