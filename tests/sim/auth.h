/* What the tests of client authentication share: the files, and clients that answer. */
#ifndef PGIAM_TESTS_SIM_AUTH_H
#define PGIAM_TESTS_SIM_AUTH_H

#include "sim.h"
#include "pg/parse.h"
#include "pg/scram.h"
#include "proxy/auth_store.h"

/* The users of the file, one of each kind: "plain", "md5", "scram" and "empty". The password is "sesame" for all. */
extern const char auth_all_kinds[];

/* Begins a world with this auth_type and these texts of files (NULL: none); auth_end removes the files. */
struct sim *auth_world(enum auth_type type, const char *users);
struct sim *auth_world_of(enum auth_type type, const char *users, const char *hba, const char *ident);
void auth_end(struct sim *s);
void auth_write(enum auth_file which, const char *text);

/* The request the client was asked last. */
uint32_t auth_request(const struct sim_client *c, struct slice *data);

/* A client that has sent its startup packet, and what it then says. */
struct sim_client *auth_client(struct sim *s, const char *user, const char *database);
void auth_say_password(struct sim_client *c, const char *password);
void auth_say_md5(struct sim_client *c, const char *user, const char *password);

/* Runs SCRAM up to and with its last message. */
void auth_say_scram(struct sim_client *c, const char *password);

/* Answers whatever is asked. */
void auth_answer(struct sim_client *c, const char *user, const char *password);

#endif
