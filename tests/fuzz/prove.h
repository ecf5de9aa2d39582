/* Clients that answer what they are asked, with the right password or a wrong one. */
#ifndef PGIAM_TESTS_FUZZ_PROVE_H
#define PGIAM_TESTS_FUZZ_PROVE_H

#include "pg/scram.h"
#include "proxy/auth_store.h"
#include "steps.h"
#include "told.h"

#define PROVE_PASSWORD "correct-h0rse-battery"
#define PROVE_FILES    3

/* With the i-th of the auth_files: "joe" and "ann" with secrets of different kinds, the password is the same. Made once, in a directory that goes
 * with the process; the other two files are the same every time. */
struct auth_store *prove_store(unsigned i, const char *hba, const char *ident);

struct prover {
	struct talk *t;
	const struct told *told;
	const char *user;           /* as who it came; NULL before */
	struct scram_client *scram; /* owned; NULL before */
	bool proved;                /* the right answer was given, if somebody of that name is in the file */
};

void prove_begin(struct prover *p, struct talk *t, const struct told *told);
void prove_end(struct prover *p); /* idempotent */

/* Answers the last request. The step says how: its first byte whether wrongly, its second with which channel binding. */
void prove_answer(struct prover *p, const struct step *st);

#endif
