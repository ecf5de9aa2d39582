#include "ways.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>
#include "../unit/io/kit.h"
#include "base/mem.h"
#include "prove.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* ---- from where ---- */

enum { V4, V4_REMOTE, V6, V4_IN_V6, UNIX };

static const struct ways_from froms[] = {
	[V4] = {"127.0.0.1", "127.0.0.1", false},
	[V4_REMOTE] = {"192.0.2.1", "127.0.0.1", true},
	[V6] = {"::1", "::1", false},
	[V4_IN_V6] = {"::ffff:192.0.2.1", "::ffff:127.0.0.1", true},
	[UNIX] = {NULL, NULL, false},
};

#define HOSTS (1u << V4 | 1u << V4_REMOTE | 1u << V6 | 1u << V4_IN_V6)

/* ---- auth_hba_file, a line at a time, and what it means ---- */

struct rule {
	const char *line;
	unsigned from; /* bits */
	enum { ANY, INSIDE, OUTSIDE } tls;
	const char *user; /* NULL: all */
	enum auth_type method;
	const char *map;
	bool maybe; /* it fits some databases only, and which one is asked for is not known here */
};

static const struct rule rules[] = {
	{"local all joe peer map=us", 1u << UNIX, ANY, "joe", AUTH_TYPE_PEER, "us", false},
	{"local all ann scram-sha-256", 1u << UNIX, ANY, "ann", AUTH_TYPE_SCRAM, NULL, true},
	{"local all all peer", 1u << UNIX, ANY, NULL, AUTH_TYPE_PEER, NULL, true},
	{"hostssl all joe 192.0.2.0/24 cert", 1u << V4_REMOTE | 1u << V4_IN_V6, INSIDE, "joe", AUTH_TYPE_CERT, NULL, true},
	{"hostssl all ann 192.0.2.0 255.255.255.0 cert map=laptops", 1u << V4_REMOTE | 1u << V4_IN_V6, INSIDE, "ann",
         AUTH_TYPE_CERT, "laptops", true},
	{"hostssl all nobody all cert map=laptops", HOSTS, INSIDE, "nobody", AUTH_TYPE_CERT, "laptops", true},
	{"host replication joe all scram-sha-256", HOSTS, ANY, "joe", AUTH_TYPE_SCRAM, NULL, true},
	{"host app joe 127.0.0.1/32 md5", 1u << V4, ANY, "joe", AUTH_TYPE_MD5, NULL, true},
	{"hostnossl all,replication all 192.0.2.1/32 reject", 1u << V4_REMOTE | 1u << V4_IN_V6, OUTSIDE, NULL,
         AUTH_TYPE_REJECT, NULL, false},
	{"hostnossl all ann 0.0.0.0/0 password", 1u << V4 | 1u << V4_REMOTE | 1u << V4_IN_V6, OUTSIDE, "ann", AUTH_TYPE_PLAIN,
         NULL, true},
	{"host all nobody ::/0 trust", 1u << V6, ANY, "nobody", AUTH_TYPE_TRUST, NULL, true},
	{"hostssl all all all scram-sha-256", HOSTS, INSIDE, NULL, AUTH_TYPE_SCRAM, NULL, true},
};

/* auth_ident_file; NULL: who runs this. */
static const struct mapping {
	const char *map, *system, *user;
} mappings[] = {{"us", NULL, "joe"}, {"laptops", "laptop", "ann"}, {"laptops", "joe", "nobody"}};

/* ---- setups ---- */

enum uids { EVERYBODY, US, OTHERS };

static const struct setup {
	enum auth_type type;
	enum uids uids;
} setups[] = {
	{AUTH_TYPE_TRUST, EVERYBODY}, {AUTH_TYPE_PLAIN, EVERYBODY}, {AUTH_TYPE_MD5, EVERYBODY}, {AUTH_TYPE_SCRAM, EVERYBODY},
	{AUTH_TYPE_CERT, EVERYBODY}, {AUTH_TYPE_PEER, EVERYBODY}, {AUTH_TYPE_HBA, EVERYBODY}, {AUTH_TYPE_TRUST, US},
	{AUTH_TYPE_TRUST, OTHERS}, {AUTH_TYPE_SCRAM, US}, {AUTH_TYPE_PEER, OTHERS},
};

/* client_tls_*. Of the first nothing is asked, and its certificate is made in memory. */
static const struct tls_opts servers[] = {
	{.host_name = "localhost"},
	{.verify = TLS_VERIFY_SHOWN},
	{.verify = TLS_VERIFY_CHAIN},
	{.verify = TLS_VERIFY_SHOWN, .versions = TLS_VERSIONS_1_2, .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256", .dhe = true},
	{.verify = TLS_VERIFY_CHAIN, .versions = TLS_VERSIONS_1_3, .ciphers13 = "TLS_CHACHA20_POLY1305_SHA256"},
	{.groups = "P-256"},
};

static const char *const certs[WAYS_CERTS] = {[WAYS_JOE] = "joe", [WAYS_LAPTOP] = "laptop"}; /* names of the good ones */

static struct {
	const char *self;
	SSL_CTX *client[WAYS_TLS_KINDS][WAYS_CERTS];
	struct tls_live *server[COUNT(servers)];
	char *hba, *ident; /* files */
	uid_t us[2]; /* and the others */
	/* of one input */
	const struct setup *setup;
	const struct ways_from *from;
	const struct tls_opts *tls;
} ways;

static SSL_CTX *client_ctx(unsigned kind, const struct kit_cert *cert)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());

	talk_must(c != NULL);
	SSL_CTX_set_max_proto_version(c, kind & 1 ? TLS1_2_VERSION : TLS1_3_VERSION);
	if (kind & 2) {
		SSL_CTX_set_alpn_protos(c, (const unsigned char *)"\012postgresql\002h2", 14);
		SSL_CTX_set_max_send_fragment(c, 512);
		SSL_CTX_clear_options(c, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	}
	if (cert->x)
		talk_must(SSL_CTX_use_certificate(c, cert->x) == 1 && SSL_CTX_use_PrivateKey(c, cert->key) == 1);
	return c;
}

static struct kit_tls pki; /* its files are looked at before every handshake */

static void forget_files(void)
{
	kit_dir_free(pki.dir);
}

static void make_tls(void)
{
	struct kit_tls other;
	struct kit_cert shown[WAYS_CERTS] = {{NULL, NULL}};
	struct err e;

	kit_tls_init(&pki, "localhost", "DNS:localhost");
	kit_tls_init(&other, "localhost", "DNS:localhost");
	for (unsigned i = 0; i < WAYS_CERTS; i++)
		if (certs[i])
			shown[i] = kit_cert_new(&(struct kit_cert_opts){.cn = certs[i]}, &pki.ca);
	shown[WAYS_STRANGER] = kit_cert_new(&(struct kit_cert_opts){.cn = "joe"}, &other.ca);
	shown[WAYS_EXPIRED] = kit_cert_new(&(struct kit_cert_opts){.cn = "joe", .from_days = -9, .to_days = -1}, &pki.ca);
	for (unsigned i = 0; i < WAYS_TLS_KINDS; i++)
		for (unsigned k = 0; k < WAYS_CERTS; k++)
			ways.client[i][k] = client_ctx(i, &shown[k]);
	for (size_t i = 0; i < COUNT(servers); i++) {
		struct tls_opts o = servers[i];
		struct tls_ctx *c;

		if (!o.host_name) {
			o.ca_file = pki.ca_file;
			o.cert_file = pki.cert_file;
			o.key_file = pki.key_file;
		}
		c = tls_server_ctx_new(&o, &e);
		talk_must(c != NULL);
		ways.server[i] = tls_live_new(c);
	}
	for (unsigned i = 0; i < WAYS_CERTS; i++)
		kit_cert_free(&shown[i]);
	kit_tls_fini(&other);
	atexit(forget_files);
}

static void make_files(void)
{
	struct buf hba, ident;

	buf_init(&hba, 8192);
	buf_init(&ident, 8192);
	for (size_t i = 0; i < COUNT(rules); i++)
		buf_printf(&hba, "%s\n", rules[i].line);
	for (size_t i = 0; i < COUNT(mappings); i++)
		buf_printf(&ident, "%s \"%s\" %s\n", mappings[i].map, mappings[i].system ? mappings[i].system : ways.self,
		           mappings[i].user);
	ways.hba = kit_write(pki.dir, "hba", hba.p, hba.n);
	ways.ident = kit_write(pki.dir, "ident", ident.p, ident.n);
	buf_free(&hba);
	buf_free(&ident);
}

static void make(void)
{
	const struct passwd *pw = getpwuid(geteuid());

	ways.self = mem_strdup(pw ? pw->pw_name : "none");
	ways.us[0] = geteuid();
	ways.us[1] = geteuid() + 1;
	make_tls();
	make_files();
}

void ways_choose(struct sim *s, uint8_t auth, uint8_t tls, unsigned file)
{
	if (!ways.self)
		make();
	ways.setup = &setups[auth % 16 % COUNT(setups)];
	ways.from = &froms[auth / 16 % COUNT(froms)];
	ways.tls = &servers[tls % 16 % COUNT(servers)];
	s->opts.client_tls = ways.server[tls % 16 % COUNT(servers)];
	s->opts.auth = (struct auth_opts){.type = ways.setup->type,
	                                  .store = prove_store(file, ways.hba, ways.ident),
	                                  .key = "a key of 32 bytes for the fuzzer"};
	s->opts.client_uids = ways.setup->uids == EVERYBODY ? NULL : &ways.us[ways.setup->uids == OTHERS];
	s->opts.client_uid_count = 1;
}

const struct ways_from *ways_from(void)
{
	return ways.from;
}

SSL_CTX *ways_client(unsigned kind, enum ways_cert cert)
{
	return ways.client[kind % WAYS_TLS_KINDS][cert];
}

const char *ways_self(void)
{
	return ways.self;
}

/* ---- who may ---- */

static bool same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* system: who it is there; NULL: nobody. */
static bool maps(const char *map, const char *system, const char *user)
{
	if (!system || !map)
		return system && same(system, user);
	for (size_t i = 0; i < COUNT(mappings); i++)
		if (same(mappings[i].map, map) && same(mappings[i].user, user) &&
		    same(mappings[i].system ? mappings[i].system : ways.self, system))
			return true;
	return false;
}

static bool proves(enum auth_type method, const char *map, const struct ways_has *has, const char *user)
{
	switch (method) {
	case AUTH_TYPE_TRUST: return true;
	case AUTH_TYPE_PLAIN:
	case AUTH_TYPE_MD5:
	case AUTH_TYPE_SCRAM: return has->proved && (same(user, "joe") || same(user, "ann"));
	case AUTH_TYPE_CERT: return has->tls && ways.tls->verify != TLS_VERIFY_NONE && maps(map, certs[has->cert], user);
	case AUTH_TYPE_PEER: return !ways.from->ip && maps(map, ways.self, user);
	case AUTH_TYPE_HBA:
	case AUTH_TYPE_REJECT: break;
	}
	return false;
}

static bool fits(const struct rule *r, const struct ways_has *has, const char *user)
{
	return (r->from & 1u << (ways.from - froms)) && (r->tls == ANY || has->tls == (r->tls == INSIDE)) &&
	       (!r->user || same(r->user, user));
}

bool ways_may(const struct ways_has *has, const char *user)
{
	if (ways.setup->uids == OTHERS || (ways.setup->uids == US && ways.from->remote))
		return false;
	if (ways.setup->type != AUTH_TYPE_HBA)
		return proves(ways.setup->type, NULL, has, user);
	for (size_t i = 0; i < COUNT(rules); i++) {
		if (!fits(&rules[i], has, user))
			continue;
		if (proves(rules[i].method, rules[i].map, has, user))
			return true;
		if (!rules[i].maybe)
			return false;
	}
	return false;
}

bool ways_tls_may(const SSL *ssl, enum ways_cert cert)
{
	int version = SSL_version(ssl);
	bool good = certs[cert] != NULL, none = cert == WAYS_NO_CERT;

	if ((ways.tls->versions == TLS_VERSIONS_1_2 && version != TLS1_2_VERSION) ||
	    (ways.tls->versions == TLS_VERSIONS_1_3 && version != TLS1_3_VERSION))
		return false;
	switch (ways.tls->verify) {
	case TLS_VERIFY_NONE: return true;
	case TLS_VERIFY_SHOWN: return good || none;
	case TLS_VERIFY_CHAIN:
	case TLS_VERIFY_FULL: return good;
	}
	return false;
}
