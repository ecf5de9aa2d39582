/* The first half of loading a configuration: file, environment and command line into one set of values. */
#ifndef PGIAM_APP_CONF_SOURCES_H
#define PGIAM_APP_CONF_SOURCES_H

#include "app/conf_problem.h"
#include "app/conf_values.h"

/* Reads everything; problems go to p. */
void conf_sources_read(const struct conf_input *in, struct conf_problems *p, struct conf_values *out);

#endif
