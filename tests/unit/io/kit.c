#include "config.h"
#include "kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "base/mem.h"

struct loop *kit_loop(void)
{
	struct err e;
	struct loop *l = loop_new(clock_system(), NULL, &e);

	assert_non_null(l);
	return l;
}

uint64_t kit_now_us(void)
{
	return clock_mono_us(clock_system());
}

void kit_for(struct loop *l, uint64_t us)
{
	uint64_t end = kit_now_us() + us, now;

	while ((now = kit_now_us()) < end)
		loop_turn(l, end - now);
}

static void set_nonblock(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

void kit_unix_pair(int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
}

int kit_listen(struct addr *a, const char *ip, int backlog)
{
	int fd, on = 1;

	assert_int_equal(addr_parse(a, ip, 0), 0);
	fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	assert_int_equal(bind(fd, (struct sockaddr *)&a->ss, a->len), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a->ss, &a->len), 0);
	return fd;
}

void kit_tcp_pair(int fd[2])
{
	struct addr a;
	int ln = kit_listen(&a, "127.0.0.1", 1);

	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd[0], (struct sockaddr *)&a.ss, a.len), 0);
	fd[1] = accept(ln, NULL, NULL);
	assert_true(fd[1] >= 0);
	close(ln);
	set_nonblock(fd[0]);
	set_nonblock(fd[1]);
}

/* ---- certificates ---- */

static void add_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

struct kit_cert kit_cert_new(const struct kit_cert_opts *o, const struct kit_cert *issuer)
{
	struct kit_cert c = {X509_new(), o->ed25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_EC_gen("P-256")};
	X509_NAME *name = X509_get_subject_name(c.x);
	X509 *signer = issuer ? issuer->x : c.x;
	EVP_PKEY *key = issuer ? issuer->key : c.key;

	X509_set_version(c.x, X509_VERSION_3);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(c.x), kit_now_us());
	X509_time_adj_ex(X509_getm_notBefore(c.x), o->from_days || o->to_days ? o->from_days : -1, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(c.x), o->from_days || o->to_days ? o->to_days : 30, 0, NULL);
	X509_set_pubkey(c.x, c.key);
	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)o->cn,
						    -1, -1, 0),
			 1);
	X509_set_issuer_name(c.x, X509_get_subject_name(signer));
	add_ext(c.x, signer, NID_basic_constraints, o->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_ext(c.x, signer, NID_subject_key_identifier, "hash");
	if (issuer)
		add_ext(c.x, signer, NID_authority_key_identifier, "keyid");
	if (o->san)
		add_ext(c.x, signer, NID_subject_alt_name, o->san);
	assert_true(X509_sign(c.x, key, EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256()) > 0);
	return c;
}

void kit_cert_free(struct kit_cert *c)
{
	X509_free(c->x);
	EVP_PKEY_free(c->key);
}

char *kit_dir_new(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = mem_printf("%s/pgiam-test-XXXXXX", tmp ? tmp : "/tmp");

	assert_non_null(mkdtemp(dir));
	return dir;
}

void kit_dir_free(char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;

	while (d && (de = readdir(d)))
		unlinkat(dirfd(d), de->d_name, 0);
	if (d)
		closedir(d);
	rmdir(dir);
	free(dir);
}

char *kit_write(const char *dir, const char *name, const void *p, size_t n)
{
	char *path = mem_printf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	return path;
}

static char *write_bio(const char *dir, const char *name, BIO *b)
{
	char *p, *path;
	long n = BIO_get_mem_data(b, &p);

	path = kit_write(dir, name, p, (size_t)n);
	BIO_free(b);
	return path;
}

char *kit_write_cert(const char *dir, const char *name, const struct kit_cert *c)
{
	BIO *b = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_X509(b, c->x), 1);
	return write_bio(dir, name, b);
}

char *kit_write_key(const char *dir, const char *name, const struct kit_cert *c, const char *passphrase)
{
	BIO *b = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PrivateKey(b, c->key, passphrase ? EVP_aes_128_cbc() : NULL,
						  (const unsigned char *)passphrase,
						  passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
			 1);
	return write_bio(dir, name, b);
}

void kit_tls_init(struct kit_tls *t, const char *cn, const char *san)
{
	struct err e;

	*t = (struct kit_tls){.dir = kit_dir_new()};
	t->ca = kit_cert_new(&(struct kit_cert_opts){.cn = "Test CA", .ca = true}, NULL);
	t->server = kit_cert_new(&(struct kit_cert_opts){.cn = cn, .san = san}, &t->ca);
	t->ca_file = kit_write_cert(t->dir, "ca.pem", &t->ca);
	t->cert_file = kit_write_cert(t->dir, "server.pem", &t->server);
	t->key_file = kit_write_key(t->dir, "server.key", &t->server, NULL);
	t->server_ctx = tls_server_ctx_new(
		&(struct tls_opts){.cert_file = t->cert_file, .key_file = t->key_file}, &e);
	t->client_ctx = tls_client_ctx_new(
		&(struct tls_opts){.ca_file = t->ca_file, .verify = TLS_VERIFY_FULL, .alpn = "postgresql"}, &e);
	assert_non_null(t->server_ctx);
	assert_non_null(t->client_ctx);
}

void kit_tls_fini(struct kit_tls *t)
{
	tls_ctx_unref(t->server_ctx);
	tls_ctx_unref(t->client_ctx);
	kit_cert_free(&t->ca);
	kit_cert_free(&t->server);
	free(t->ca_file);
	free(t->cert_file);
	free(t->key_file);
	kit_dir_free(t->dir);
}
