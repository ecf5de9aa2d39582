#include "prove.h"

#include <stdio.h>
#include <unistd.h>
#include <openssl/x509.h>
#include "base/digest.h"
#include "pg/message.h"
#include "pg/parse.h"
#include "pg/password.h"

/* Of PROVE_PASSWORD. */
#define MD5_JOE "md5af7760964f475763c029f69e3cdb74ff"
#define MD5_ANN "md501f9a0de069b9c66dfb8c5ca702adc10"
#define SCRAM   "SCRAM-SHA-256$64:c2l4dGVlbiBieXRlcyBvaw==$TU4H5IkY7dy12XuSBtP6c1Du+UOGmyd5ewQmciIlMcg=:" \
                "NbnuKdt35NdlV0n7xifIsmW5AkZbNeMnn5ST/DitAG0="

static const char *const files[PROVE_FILES] = {
	"\"joe\" \"" SCRAM "\"\n\"ann\" \"" PROVE_PASSWORD "\"\n",
	"\"joe\" \"" MD5_JOE "\"\n\"ann\" \"" SCRAM "\"\n",
	"\"joe\" \"" PROVE_PASSWORD "\"\n\"ann\" \"" MD5_ANN "\"\n",
};

static char dir[] = "/tmp/pgiam-fuzz-XXXXXX";
static char paths[PROVE_FILES][64];

static void forget_files(void)
{
	for (unsigned i = 0; i < PROVE_FILES; i++)
		unlink(paths[i]);
	rmdir(dir);
}

static void write_files(void)
{
	talk_must(mkdtemp(dir) != NULL);
	for (unsigned i = 0; i < PROVE_FILES; i++) {
		FILE *f;

		snprintf(paths[i], sizeof(paths[i]), "%s/users%u", dir, i);
		f = fopen(paths[i], "w");
		talk_must(f && fputs(files[i], f) >= 0 && fclose(f) == 0);
	}
	atexit(forget_files);
}

static void bad_file(void *arg, enum auth_file which, struct err *e)
{
	(void)arg;
	(void)which;
	(void)e;
	talk_must(false);
}

struct auth_store *prove_store(unsigned i, const char *hba, const char *ident)
{
	static struct auth_store *stores[PROVE_FILES];
	struct auth_store_opts o = {
		.path = {[AUTH_FILE_HBA] = hba, [AUTH_FILE_IDENT] = ident}, .remote_trust = true, .certificates = true};

	if (!paths[0][0])
		write_files();
	i %= PROVE_FILES;
	o.path[AUTH_FILE_USERS] = paths[i];
	if (!stores[i])
		stores[i] = auth_store_new(&o, bad_file, NULL);
	return stores[i];
}

void prove_begin(struct prover *p, struct talk *t, const struct told *told)
{
	*p = (struct prover){.t = t, .told = told};
}

void prove_end(struct prover *p)
{
	scram_client_free(p->scram);
	p->scram = NULL;
}

static void say(struct prover *p, struct buf *b)
{
	talk_say(p->t, b->p, b->n);
	buf_free(b);
}

static void say_password(struct prover *p, struct slice password)
{
	struct buf b;

	buf_init(&b, 4096);
	message_password(&b, password);
	say(p, &b);
}

static void answer_md5(struct prover *p, struct slice password, struct slice salt)
{
	unsigned char kept[DIGEST_MD5_BYTES];
	char answer[PASSWORD_MD5_CHARS];

	if (salt.n == PASSWORD_MD5_SALT && password_md5(password, slice_str(p->user), kept) &&
	    password_md5_answer(kept, salt.p, answer))
		say_password(p, slice_of(answer, sizeof(answer)));
}

/* tls-server-end-point of a certificate signed with SHA-256 */
static size_t end_point(const SSL *ssl, unsigned char out[32])
{
	X509 *x = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
	unsigned n = 32;

	return x && X509_digest(x, EVP_sha256(), out, &n) ? n : 0;
}

static void scram_first(struct prover *p, struct slice offers, uint8_t how)
{
	static const unsigned char nonce[SCRAM_NONCE_BYTES] = "a nonce of eightee";
	bool plus = parse_sasl_offers(offers, SCRAM_SHA_256_PLUS) == 1 && how % 4 == 0;
	enum scram_binding binding = plus ? SCRAM_BIND_END_POINT : how % 4 == 1 ? SCRAM_BIND_UNUSED : SCRAM_BIND_NONE;
	unsigned char data[32] = {0};
	struct buf first, b;

	prove_end(p);
	end_point(p->t->ssl, data);
	p->scram = scram_client_new(nonce, binding, plus ? slice_of(data, sizeof(data)) : slice_str(""));
	buf_init(&first, 4096);
	buf_init(&b, 4096);
	scram_client_first(p->scram, &first);
	message_sasl_initial(&b, how % 4 == 3 || plus ? SCRAM_SHA_256_PLUS : SCRAM_SHA_256, buf_slice(&first));
	buf_free(&first);
	say(p, &b);
}

static bool scram_final(struct prover *p, struct slice password, struct slice data)
{
	unsigned char salted[SCRAM_KEY_BYTES];
	struct buf final, b;
	struct err e;

	if (!p->scram || scram_client_server_first(p->scram, data, &e) != 0)
		return false;
	digest_pbkdf2_sha256(password, scram_client_salt(p->scram), scram_client_iterations(p->scram), salted);
	buf_init(&final, 4096);
	buf_init(&b, 4096);
	scram_client_final(p->scram, salted, &final);
	message_sasl_response(&b, buf_slice(&final));
	buf_free(&final);
	say(p, &b);
	return true;
}

void prove_answer(struct prover *p, const struct step *st)
{
	bool right = !(step_byte(st, 0) & 1);
	struct slice password = slice_str(right ? PROVE_PASSWORD : PROVE_PASSWORD "!"), data;
	uint32_t request;

	if (!p->user || p->told->auth_n == 0 || parse_auth(slice_of(p->told->auth, p->told->auth_n), &request, &data) != 0)
		return;
	switch (request) {
	case AUTH_CLEARTEXT: say_password(p, password); break;
	case AUTH_MD5: answer_md5(p, password, data); break;
	case AUTH_SASL: scram_first(p, data, step_byte(st, 1)); return;
	case AUTH_SASL_CONTINUE: right &= scram_final(p, password, data); break;
	default: return;
	}
	p->proved |= right && (strcmp(p->user, "joe") == 0 || strcmp(p->user, "ann") == 0);
}
