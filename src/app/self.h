/* What the process knows and sets about itself. */
#ifndef PGIAM_APP_SELF_H
#define PGIAM_APP_SELF_H

#include <stdint.h>

/* Raises the soft limit of descriptors to the hard one; returns the limit that holds. */
uint64_t self_raise_nofile(void);

struct self_usage {
	uint64_t cpu_us, resident_bytes, open_fds, max_fds;
};

/* What cannot be read is 0. */
void self_usage(struct self_usage *out);

#endif
