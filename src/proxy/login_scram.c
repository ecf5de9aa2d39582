/* The SCRAM part of a login. PBKDF2 takes as long as the server likes (within SCRAM_MAX_ITERATIONS), so it runs on a
 * helper thread (pitfall 77). */
#include "proxy/login_private.h"

#include <stdlib.h>
#include <string.h>
#include "base/digest.h"
#include "base/mem.h"
#include "pg/message.h"
#include "pg/scram.h"

/* A PBKDF2 on its way through io/offload; outlives a login that is cancelled meanwhile. */
struct hash_job {
	struct login *login;
	struct buf password; /* prepared */
	struct buf salt;
	uint32_t iterations;
	unsigned char out[SCRAM_KEY_BYTES];
};

static void hash_job_free(void *data)
{
	struct hash_job *j = data;

	buf_free(&j->password);
	buf_free(&j->salt);
	mem_free_wipe(j, sizeof(*j));
}

void login_scram_free(struct login *l)
{
	if (l->hash_op)
		offload_cancel(l->hash_op); /* frees the job when the helper is through */
	else if (l->hash)
		hash_job_free(l->hash);
	l->hash_op = NULL;
	l->hash = NULL;
	scram_client_free(l->scram);
	l->scram = NULL;
}

static void hash_work(void *data)
{
	struct hash_job *j = data;

	digest_pbkdf2_sha256(buf_slice(&j->password), buf_slice(&j->salt), j->iterations, j->out);
}

static void hash_done(void *data)
{
	struct hash_job *j = data;
	struct login *l = j->login;
	struct buf msg;
	int rc;

	l->hash_op = NULL;
	l->hash = NULL;
	login_set_state(l, LOGIN_SCRAM_FINAL);
	buf_init_secret(&msg, SCRAM_MAX_MESSAGE);
	rc = scram_client_final(l->scram, j->out, &msg);
	hash_job_free(j);
	if (rc == 0)
		message_sasl_response(&l->out, buf_slice(&msg));
	else
		l->out.full = true;
	buf_free(&msg);
	login_send(l);
}

void login_scram_begin(struct login *l, struct slice secret)
{
	unsigned char nonce[SCRAM_NONCE_BYTES], binding[64];
	struct slice data = slice_of(NULL, 0);
	enum scram_binding how = SCRAM_BIND_NONE;
	struct buf msg;
	struct err e;

	l->hash = mem_zalloc(sizeof(*l->hash));
	l->hash->login = l;
	buf_init_secret(&l->hash->password, LOGIN_BUFFER_MAX);
	buf_init(&l->hash->salt, SCRAM_MAX_SALT);
	if (scram_prepare_password(secret, &l->hash->password, &e) != 0) {
		hash_job_free(l->hash);
		l->hash = NULL;
		err_prefix(&e, "login");
		login_fail(l, &e);
		return;
	}
	if (strcmp(l->mechanism, SCRAM_SHA_256_PLUS) == 0) {
		data = slice_of(binding, stream_tls_server_end_point(l->stream, binding));
		how = SCRAM_BIND_END_POINT;
		if (data.n == 0) {
			/* A certificate whose hash is not defined for binding: go without. */
			l->mechanism = SCRAM_SHA_256;
			how = SCRAM_BIND_NONE;
		}
	} else if (stream_is_tls(l->stream)) {
		how = SCRAM_BIND_UNUSED;
	}
	digest_random(nonce, sizeof(nonce));
	l->scram = scram_client_new(nonce, how, data);
	buf_init_secret(&msg, SCRAM_MAX_MESSAGE);
	if (scram_client_first(l->scram, &msg) == 0)
		message_sasl_initial(&l->out, l->mechanism, buf_slice(&msg));
	else
		l->out.full = true;
	buf_free(&msg);
	login_set_state(l, LOGIN_SCRAM_FIRST);
	login_send(l);
}

void login_scram_first(struct login *l, struct slice data)
{
	struct err e;

	if (scram_client_server_first(l->scram, data, &e) != 0) {
		err_prefix(&e, "login");
		login_fail(l, &e);
		return;
	}
	login_set_state(l, LOGIN_SCRAM_HASH);
	stream_want_read(l->stream, false);
	buf_add_slice(&l->hash->salt, scram_client_salt(l->scram));
	l->hash->iterations = scram_client_iterations(l->scram);
	l->hash_op = offload_start(l->env.offload, l->env.up.mail, hash_work, hash_done, hash_job_free, l->hash);
	if (!l->hash_op) {
		hash_job_free(l->hash);
		l->hash = NULL;
		err_set(&e, ERR_LOGIN_QUEUE, "login: too many password hashes are being computed");
		login_fail(l, &e);
	}
}

void login_scram_final(struct login *l, struct slice data)
{
	struct err e;

	if (scram_client_verify(l->scram, data, &e) != 0) {
		err_prefix(&e, "login");
		login_fail(l, &e);
		return;
	}
	login_set_state(l, LOGIN_SCRAM_OK);
}

