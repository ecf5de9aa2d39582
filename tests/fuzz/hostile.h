/* What a hostile server says, and what it was told. */
#ifndef PGIAM_TESTS_FUZZ_HOSTILE_H
#define PGIAM_TESTS_FUZZ_HOSTILE_H

#include "steps.h"
#include "talk.h"

struct hostile {
	struct talk t;
	struct buf heard;     /* all it was told, in TLS or not */
	size_t looked;        /* of heard */
	unsigned packets, passwords;
	bool raw, asked_clear; /* bytes of the input's own were said; a password in clear was asked for */
	bool cancel, ready;    /* it is a CancelRequest's; ReadyForQuery was said, or may have been */
	bool knows;            /* the secret: it was told in clear */
	size_t outside;       /* bytes heard outside TLS */
	struct buf sasl;
};

/* A message of the right length around this body. */
void hostile_message(struct hostile *v, uint8_t type, const void *body, size_t n);
void hostile_auth(struct hostile *v, uint32_t request, const void *data, size_t n);
void hostile_setup(struct hostile *v); /* a parameter, a key, ReadyForQuery */

/* The rest is chosen by the bytes of the step. */
void hostile_offer(struct hostile *v, const struct step *st); /* of SASL mechanisms */

/* The right answers of SCRAM, as far as the step wants them right; the salted password is all zeros (offload_now.h). */
void hostile_scram_first(struct hostile *v, const struct step *st);
void hostile_scram_final(struct hostile *v, const struct step *st);
void hostile_error(struct hostile *v, const struct step *st, const char *detail);
void hostile_negotiate(struct hostile *v, const struct step *st);
void hostile_flood(struct hostile *v, const struct step *st); /* of parameters or notices */

/* An error that says the secret, or what gives it away, in one field or another. */
void hostile_echo(struct hostile *v, const struct step *st, const char *secret);

#endif
