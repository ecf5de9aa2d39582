/* offload_now.c stands in for io/offload: without a thread, whose turn nobody can foresee. */
#ifndef PGIAM_TESTS_FUZZ_OFFLOAD_NOW_H
#define PGIAM_TESTS_FUZZ_OFFLOAD_NOW_H

#include "io/offload.h"

/* Where done is called. Before the first offload_start. works: the work is done; otherwise it is not, as where a server
 * may ask for PBKDF2 of a million rounds, and a salted password is all zeros. */
void offload_now_on(struct loop *l, bool works);

/* While it is slow nothing comes back. */
void offload_now_slow(bool on);

#endif
