/* The TLS options of either side, and the contexts made of them: one for clients, and one for all databases with the same
 * settings. Files are read here, so that a bad one is told at start, by `pgiam check` as well. */
#include <string.h>
#include <strings.h>
#include "app/conf_build.h"
#include "base/mem.h"

/* A side's options. */
struct names {
	enum option_id ca_file, cert_file, key_file, protocols, ciphers, ciphers13;
};

static const struct names client_names = {OPT_CLIENT_TLS_CA_FILE,   OPT_CLIENT_TLS_CERT_FILE, OPT_CLIENT_TLS_KEY_FILE,
					  OPT_CLIENT_TLS_PROTOCOLS, OPT_CLIENT_TLS_CIPHERS,   OPT_CLIENT_TLS13_CIPHERS},
			  server_names = {OPT_SERVER_TLS_CA_FILE,   OPT_SERVER_TLS_CERT_FILE, OPT_SERVER_TLS_KEY_FILE,
					  OPT_SERVER_TLS_PROTOCOLS, OPT_SERVER_TLS_CIPHERS,   OPT_SERVER_TLS13_CIPHERS};

/* What may stand in place of a list: PgBouncer's words. */
static const char *spelt(const char *value)
{
	static const struct {
		const char *word, *meaning;
	} words[] = {
		{"default", NULL },
                {"secure",  NULL },
                {"fast",    NULL },
                {"normal",  NULL },
                {"auto",    NULL },
                {"all",     "ALL"}
        };

	for (size_t i = 0; value && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(value, words[i].word) == 0)
			return words[i].meaning;
	return value;
}

static void take_options(const struct conf_builder *b, const struct conf_database *db, const struct names *n,
			 struct tls_opts *o)
{
	/* in the order of the option's values */
	static const enum tls_versions versions[] = {TLS_VERSIONS_ALL, TLS_VERSIONS_1_2, TLS_VERSIONS_1_3,
						     TLS_VERSIONS_ALL, TLS_VERSIONS_ALL};

	o->ca_file = conf_builder_text(b, db, n->ca_file);
	o->cert_file = conf_builder_text(b, db, n->cert_file);
	o->key_file = conf_builder_text(b, db, n->key_file);
	o->versions = versions[conf_builder_num(b, db, n->protocols)];
	o->ciphers = spelt(conf_builder_text(b, db, n->ciphers));
	o->ciphers13 = conf_builder_text(b, db, n->ciphers13);
}

/* Which option an error is about: the one whose value it repeats. */
static enum option_id culprit(const struct names *n, const struct tls_opts *o, const struct err *e)
{
	const struct {
		const char *value;
		enum option_id id;
	} suspects[] = {
		{o->key_file,  n->key_file           },
                {o->cert_file, n->cert_file          },
                {o->ca_file,   n->ca_file            },
		{o->ciphers13, n->ciphers13          },
                {o->ciphers,   n->ciphers            },
                {o->groups,    OPT_CLIENT_TLS_ECDHCURVE}
        };

	for (size_t i = 0; i < sizeof(suspects) / sizeof(suspects[0]); i++)
		if (suspects[i].value && strstr(e->msg, suspects[i].value))
			return suspects[i].id;
	return n->ca_file; /* the system's */
}

static bool is_pair(struct conf_builder *b, const struct conf_database *db, const struct names *n,
		    const struct tls_opts *o)
{
	struct err e;

	if (!o->cert_file == !o->key_file)
		return true;
	err_set(&e, ERR_CONFIG, "%s and %s need each other", options_get(n->cert_file)->name,
		options_get(n->key_file)->name);
	conf_builder_bad(b, db, o->cert_file ? n->cert_file : n->key_file, &e);
	return false;
}

static struct tls_live *keep(struct conf *c, struct tls_ctx *ctx, bool clients, const char *cert_file)
{
	struct tls_live *live = tls_live_new(ctx);

	c->tls = mem_resize(c->tls, (c->tls_count + 1) * sizeof(*c->tls));
	c->tls[c->tls_count++] = (struct conf_tls){.live = live, .clients = clients, .cert_file = cert_file};
	return tls_live_ref(live);
}

/* ---- clients ---- */

enum { CLIENT_DISABLE, CLIENT_ALLOW, CLIENT_PREFER, CLIENT_REQUIRE, CLIENT_VERIFY_CA };

void conf_build_client_tls(struct conf_builder *b)
{
	struct proxy_opts *opts = &b->c->priv->opts;
	int64_t mode = conf_builder_num(b, NULL, OPT_CLIENT_TLS_SSLMODE);
	struct tls_opts o = {.host_name = "localhost"};
	struct tls_ctx *ctx;
	struct err e;

	take_options(b, NULL, &client_names, &o);
	o.groups = spelt(conf_builder_text(b, NULL, OPT_CLIENT_TLS_ECDHCURVE));
	o.dhe = conf_builder_num(b, NULL, OPT_CLIENT_TLS_DHEPARAMS) == 0;
	if (o.ca_file)
		o.verify = mode >= CLIENT_VERIFY_CA ? TLS_VERIFY_CHAIN : TLS_VERIFY_SHOWN;
	opts->client_tls_required = mode >= CLIENT_REQUIRE;
	if (!is_pair(b, NULL, &client_names, &o) || mode == CLIENT_DISABLE)
		return;
	if (mode >= CLIENT_VERIFY_CA && !o.ca_file) {
		err_set(&e, ERR_CONFIG, "%s needs client_tls_ca_file, to verify clients' certificates by",
			conf_builder_text(b, NULL, OPT_CLIENT_TLS_SSLMODE));
		conf_builder_bad(b, NULL, OPT_CLIENT_TLS_SSLMODE, &e);
		return;
	}
	ctx = tls_server_ctx_new(&o, &e);
	if (ctx)
		opts->client_tls = keep(b->c, ctx, true, o.cert_file);
	else
		conf_builder_bad(b, NULL, culprit(&client_names, &o, &e), &e);
}

/* ---- servers ---- */

struct tls_live *conf_build_server_tls(struct conf_builder *b, const struct conf_database *db, enum tls_verify verify,
				       bool direct)
{
	struct tls_opts o = {.verify = verify, .alpn = direct ? "postgresql" : NULL};
	struct tls_ctx *ctx;
	struct err e;

	take_options(b, db, &server_names, &o);
	if (!is_pair(b, db, &server_names, &o))
		return NULL;
	for (size_t i = 0; i < b->c->tls_count; i++)
		if (!b->c->tls[i].clients && tls_live_is(b->c->tls[i].live, &o))
			return tls_live_ref(b->c->tls[i].live);
	ctx = tls_client_ctx_new(&o, &e);
	if (ctx)
		return keep(b->c, ctx, false, o.cert_file);
	conf_builder_bad(b, db, culprit(&server_names, &o, &e), &e);
	return NULL;
}
