/* Both sides write much more than the sockets hold, and read all the time (pitfall 54). */
#ifndef PGIAM_TESTS_UNIT_IO_FLOOD_H
#define PGIAM_TESTS_UNIT_IO_FLOOD_H

#include "io/stream.h"
#include "kit.h"

/* a and b are connected and ready for data; they get other owners. Returns when each has got all that the other wrote,
 * unharmed, and nothing more. */
void flood(struct loop *l, struct stream *a, struct stream *b);

#endif
