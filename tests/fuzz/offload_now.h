/* offload_now.c stands in for io/offload: without a thread, whose turn nobody can foresee, and without PBKDF2 of a million
 * rounds. The work is not done: a salted password is all zeros. */
#ifndef PGIAM_TESTS_FUZZ_OFFLOAD_NOW_H
#define PGIAM_TESTS_FUZZ_OFFLOAD_NOW_H

#include "io/offload.h"

/* Where done is called. Before the first offload_start. */
void offload_now_on(struct loop *l);

#endif
