/* The source of targets that need no secret: a server that asks for one gets an error instead. */
#ifndef PGIAM_APP_NONE_SOURCE_H
#define PGIAM_APP_NONE_SOURCE_H

#include "base/secret_source.h"
#include "io/loop.h"

struct secret_source *none_source_new(struct loop *l);

#endif
