/* The SCRAM part of a login. PBKDF2 takes as long as the server likes (within SCRAM_MAX_ITERATIONS), so it runs on a
 * helper thread (pitfall 77). */
#include "proxy/login_private.h"

#include <stdlib.h>
#include "base/digest.h"
#include "base/mem.h"
#include "pg/message.h"
#include "pg/scram.h"

/* A PBKDF2 on its way through io/offload; outlives a login that is cancelled meanwhile. */
struct hash_job {
	struct login *login;
	void (*done)(struct login *l);
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
	void (*done)(struct login *) = j->done;
	struct buf msg;
	int rc;

	l->hash_op = NULL;
	l->hash = NULL;
	buf_init_secret(&msg, SCRAM_MAX_MESSAGE);
	rc = scram_client_final(l->scram, j->out, &msg);
	hash_job_free(j);
	if (rc == 0)
		message_sasl_response(&l->out, buf_slice(&msg));
	else
		l->out.full = true;
	buf_free(&msg);
	done(l);
}

int login_scram_begin(struct login *l, struct slice secret, struct err *e)
{
	bool binds = l->binding == SCRAM_BIND_END_POINT;
	unsigned char nonce[SCRAM_NONCE_BYTES], hash[64];
	struct slice data = slice_of(hash, binds ? stream_tls_server_end_point(l->stream, hash) : 0);
	struct buf msg;

	l->hash = mem_zalloc(sizeof(*l->hash));
	l->hash->login = l;
	buf_init_secret(&l->hash->password, LOGIN_BUFFER_MAX);
	buf_init(&l->hash->salt, SCRAM_MAX_SALT);
	if (scram_prepare_password(secret, &l->hash->password, e) != 0)
		return err_prefix(e, "login");
	digest_random(nonce, sizeof(nonce));
	l->scram = scram_client_new(nonce, l->binding, data);
	buf_init_secret(&msg, SCRAM_MAX_MESSAGE);
	if (scram_client_first(l->scram, &msg) == 0)
		message_sasl_initial(&l->out, binds ? SCRAM_SHA_256_PLUS : SCRAM_SHA_256, buf_slice(&msg));
	else
		l->out.full = true;
	buf_free(&msg);
	return 0;
}

int login_scram_first(struct login *l, struct slice data, void (*done)(struct login *l), struct err *e)
{
	if (scram_client_server_first(l->scram, data, e) != 0)
		return err_prefix(e, "login");
	l->hash->done = done;
	buf_add_slice(&l->hash->salt, scram_client_salt(l->scram));
	l->hash->iterations = scram_client_iterations(l->scram);
	l->hash_op = offload_start(l->env.offload, l->env.up.mail, hash_work, hash_done, hash_job_free, l->hash);
	if (!l->hash_op)
		return err_set(e, ERR_LOGIN_QUEUE, "login: too many password hashes are being computed");
	return 0;
}

int login_scram_final(const struct login *l, struct slice data, struct err *e)
{
	return scram_client_verify(l->scram, data, e) == 0 ? 0 : err_prefix(e, "login");
}
