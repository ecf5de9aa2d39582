#include "auth.h"

#include <stdio.h>
#include <unistd.h>
#include "base/digest.h"
#include "pg/message.h"
#include "pg/password.h"

/* Of "sesame". */
const char auth_all_kinds[] = "; the users\n"
			      "\"plain\" \"sesame\" \"ignored\"\n"
			      "\"md5\" \"md5b017c8e39cbe73fe93f4c133022213be\"\n"
			      "\"scram\" \"SCRAM-SHA-256$4096:c2l4dGVlbiBvZiBieXRlcw==$LRJYryxMjdSSXnxnIq0BLtU2RNs3aV9aBUr3wpD4TpM=:FPDdztLeMknaI1yIjTBiAKR+t3Xewm1NytHChZ/27y4=\"\n"
			      "\"empty\" \"\"\n";

static const char *path(enum auth_file which)
{
	static char name[AUTH_FILE_COUNT][64];

	snprintf(name[which], sizeof(name[which]), "/tmp/pgiam-sim-auth-%ld-%d", (long)getpid(), (int)which);
	return name[which];
}

void auth_write(enum auth_file which, const char *text)
{
	FILE *f = fopen(path(which), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void bad_file(void *arg, enum auth_file which, struct err *e)
{
	(void)arg;
	fail_msg("%d: %s", (int)which, e->msg);
}

struct sim *auth_world_of(enum auth_type type, const char *users, const char *hba, const char *ident)
{
	const char *const texts[AUTH_FILE_COUNT] = {users, hba, ident};
	struct auth_store_opts o = {.remote_trust = true};
	struct sim *s = sim_new();

	for (enum auth_file i = AUTH_FILE_USERS; i < AUTH_FILE_COUNT; i++) {
		if (!texts[i])
			continue;
		auth_write(i, texts[i]);
		o.path[i] = path(i);
	}
	s->opts.auth = (struct auth_opts){
		.type = type, .store = auth_store_new(&o, bad_file, NULL), .key = "0123456789abcdef0123456789abcde"};
	sim_start(s);
	return s;
}

struct sim *auth_world(enum auth_type type, const char *users)
{
	return auth_world_of(type, users, NULL, NULL);
}

void auth_end(struct sim *s)
{
	struct auth_store *store = s->opts.auth.store;

	sim_free(s);
	auth_store_unref(store);
	for (enum auth_file i = AUTH_FILE_USERS; i < AUTH_FILE_COUNT; i++)
		unlink(path(i));
}

uint32_t auth_request(const struct sim_client *c, struct slice *data)
{
	uint32_t request;

	assert_int_equal(parse_auth(slice_of(c->auth, c->auth_n), &request, data), 0);
	return request;
}

struct sim_client *auth_client(struct sim *s, const char *user, const char *database)
{
	struct sim_client *c = sim_connect(s);

	startup_write_message(&c->p.out, STARTUP_3_0, user, database, NULL, NULL);
	sim_settle(s);
	return c;
}

void auth_say_password(struct sim_client *c, const char *password)
{
	message_password(&c->p.out, slice_str(password));
	sim_settle(c->sim);
}

void auth_say_md5(struct sim_client *c, const char *user, const char *password)
{
	unsigned char kept[DIGEST_MD5_BYTES];
	char answer[PASSWORD_MD5_CHARS];
	struct slice salt;

	assert_int_equal(auth_request(c, &salt), AUTH_MD5);
	assert_true(password_md5(slice_str(password), slice_str(user), kept));
	assert_true(password_md5_answer(kept, salt.p, answer));
	message_password(&c->p.out, slice_of(answer, sizeof(answer)));
	sim_settle(c->sim);
}

void auth_say_scram(struct sim_client *c, const char *password)
{
	unsigned char nonce[SCRAM_NONCE_BYTES] = "a nonce of eightee", salted[SCRAM_KEY_BYTES];
	struct scram_client *scram = scram_client_new(nonce, SCRAM_BIND_NONE, slice_str(""));
	struct slice data;
	struct buf m;
	struct err e;

	buf_init(&m, 4096);
	assert_int_equal(auth_request(c, &data), AUTH_SASL);
	scram_client_first(scram, &m);
	message_sasl_initial(&c->p.out, SCRAM_SHA_256, buf_slice(&m));
	sim_settle(c->sim);
	assert_int_equal(auth_request(c, &data), AUTH_SASL_CONTINUE);
	assert_int_equal(scram_client_server_first(scram, data, &e), 0);
	digest_pbkdf2_sha256(slice_str(password), scram_client_salt(scram), scram_client_iterations(scram), salted);
	buf_clear(&m);
	scram_client_final(scram, salted, &m);
	message_sasl_response(&c->p.out, buf_slice(&m));
	sim_settle(c->sim);
	scram_client_free(scram);
	buf_free(&m);
}

void auth_answer(struct sim_client *c, const char *user, const char *password)
{
	struct slice data;

	switch (auth_request(c, &data)) {
	case AUTH_CLEARTEXT: auth_say_password(c, password); return;
	case AUTH_MD5: auth_say_md5(c, user, password); return;
	case AUTH_SASL: auth_say_scram(c, password); return;
	default: fail_msg("asked for something else");
	}
}
