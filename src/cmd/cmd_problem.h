/* What is wrong with a configuration, for people. */
#ifndef PGIAM_CMD_CMD_PROBLEM_H
#define PGIAM_CMD_CMD_PROBLEM_H

#include "app/conf.h"

/* A conf_problem_cb: on standard error, the hint in a line of its own. arg is not used. */
void cmd_problem(void *arg, const struct conf_problem *p);

#endif
