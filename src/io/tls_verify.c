/* Who is at the other end: verify-full, and what to tell when it fails. What a certificate says is an
 * attacker's text until it is verified, so every name from one is escaped and cut. */
#include "io/tls_private.h"

#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include "base/enc.h"
#include "base/mem.h"
#include "io/addr.h"

#define TLS_NAME_MAX  255 /* of a host name in SNI */
#define TLS_SHOW_NAME 120 /* bytes of one name from a certificate */
#define TLS_SHOW_SANS 6

static int tls_set_ip(X509_VERIFY_PARAM *param, const struct addr *a)
{
	if (a->ss.ss_family == AF_INET)
		return X509_VERIFY_PARAM_set1_ip(
			param, (const void *)&((const struct sockaddr_in *)&a->ss)->sin_addr, 4);
	return X509_VERIFY_PARAM_set1_ip(param,
					 (const void *)&((const struct sockaddr_in6 *)&a->ss)->sin6_addr, 16);
}

int tls_verify_prepare(const struct tls_ctx *c, SSL *ssl, const char *name, struct err *e)
{
	char host[TLS_NAME_MAX + 1];
	size_t n = name ? strlen(name) : 0;
	struct addr a;
	bool full = c->opts.verify == TLS_VERIFY_FULL;

	/* An empty name would mean "any" to OpenSSL. */
	if (n == 0)
		return full ? err_set(e, ERR_TLS_VERIFY,
					   "there is no host name to verify the certificate by")
				 : 0;
	if (addr_parse(&a, name, 0) == 0) {
		if (full && !tls_set_ip(SSL_get0_param(ssl), &a))
			return err_set(e, ERR_TLS_VERIFY, "the address %s cannot be verified", name);
		return 0;
	}
	if (name[n - 1] == '.')
		n--; /* an absolute name; certificates and SNI go without the dot */
	if (n == 0 || n > TLS_NAME_MAX)
		return err_set(e, ERR_TLS_VERIFY, "the host name is no name that a certificate could bear");
	memcpy(host, name, n);
	host[n] = '\0';
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if ((full && !SSL_set1_host(ssl, host)) || !SSL_set_tlsext_host_name(ssl, host))
		return err_set(e, ERR_TLS_VERIFY, "the host name cannot be verified");
	return 0;
}

/* ---- what to say ---- */

static void tls_show(struct buf *b, const void *p, int n)
{
	if (p && n > 0)
		enc_printable(b, slice_of(p, (size_t)n), TLS_SHOW_NAME);
	else
		buf_add_str(b, "(none)");
}

static void tls_show_name(struct buf *b, const X509_NAME *name)
{
	BIO *mem = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n = 0;

	if (mem && name && X509_NAME_print_ex(mem, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		n = BIO_get_mem_data(mem, &p);
	tls_show(b, p, (int)(n < 4096 ? n : 4096));
	BIO_free(mem);
}

static void tls_show_time(struct buf *b, const ASN1_TIME *t)
{
	struct tm tm;

	if (t && ASN1_TIME_to_tm(t, &tm))
		buf_printf(b, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	else
		buf_add_str(b, "(unreadable)");
}

static void tls_show_san(struct buf *b, const GENERAL_NAME *g)
{
	if (g->type == GEN_DNS) {
		tls_show(b, ASN1_STRING_get0_data(g->d.dNSName), ASN1_STRING_length(g->d.dNSName));
	} else if (g->type == GEN_IPADD) {
		char text[INET6_ADDRSTRLEN];
		int n = ASN1_STRING_length(g->d.iPAddress);

		if (n != 4 && n != 16)
			buf_add_str(b, "(a malformed address)");
		else if (inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(g->d.iPAddress), text,
				   sizeof text))
			buf_add_str(b, text);
	} else {
		buf_add_str(b, "(another kind of name)");
	}
}

static void tls_show_sans(struct buf *b, const X509 *x)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int n = names ? sk_GENERAL_NAME_num(names) : 0;

	if (n == 0)
		buf_add_str(b, "no names besides its subject");
	for (int i = 0; i < n && i < TLS_SHOW_SANS; i++) {
		buf_add_str(b, i ? ", " : "the names ");
		tls_show_san(b, sk_GENERAL_NAME_value(names, i));
	}
	if (n > TLS_SHOW_SANS)
		buf_printf(b, " and %d more", n - TLS_SHOW_SANS);
	GENERAL_NAMES_free(names);
}

static const char *tls_hint(int error)
{
	switch (error) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return "Give the CA with server_tls_ca_file. RDS and Aurora: install "
		       "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem as "
		       "/etc/pgiam/global-bundle.pem. RDS Proxy and DSQL: leave server_tls_ca_file unset and "
		       "install the system's CA certificates (package ca-certificates).";
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return "If this is a DNS name of your own (or an address) for the database, set "
		       "tls_server_name to the endpoint's name as the certificate has it.";
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "Check this machine's clock; if it is right, the server (or the CA file) needs a new "
		       "certificate.";
	default: return NULL;
	}
}

/* Of the certificate the trouble is with. */
static void tls_show_cert(struct buf *b, const X509 *cert)
{
	buf_add_str(b, "subject \"");
	tls_show_name(b, X509_get_subject_name(cert));
	buf_add_str(b, "\", issuer \"");
	tls_show_name(b, X509_get_issuer_name(cert));
	buf_add_str(b, "\", valid ");
	tls_show_time(b, X509_get0_notBefore(cert));
	buf_add_str(b, " to ");
	tls_show_time(b, X509_get0_notAfter(cert));
	buf_add_str(b, "; ");
}

/* For the log only: the client itself is sent an alert. */
static void tls_explain_client(struct err *e, X509_STORE_CTX *sc)
{
	const X509 *cert = X509_STORE_CTX_get_current_cert(sc);
	const struct tls_ctx *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(
		X509_STORE_CTX_get_ex_data(sc, SSL_get_ex_data_X509_STORE_CTX_idx())));
	struct buf b;

	buf_init(&b, 4096);
	err_set(e, ERR_TLS_VERIFY, "the client's certificate cannot be verified: %s",
		X509_verify_cert_error_string(X509_STORE_CTX_get_error(sc)));
	if (cert) {
		buf_add_str(&b, X509_STORE_CTX_get_error_depth(sc) == 0 ? "Client certificate: " : "CA certificate: ");
		tls_show_cert(&b, cert);
	}
	buf_printf(&b, "trusted: %s.", tls_ctx_ca_text(c));
	err_detail(e, "%s", buf_cstr(&b));
	err_hint(e, "It must be issued, directly or not, by a CA in client_tls_ca_file.");
	buf_free(&b);
}

static void tls_explain(struct err *e, SSL *ssl, X509_STORE_CTX *sc)
{
	const X509 *cert = X509_STORE_CTX_get_current_cert(sc);
	const X509 *leaf = X509_STORE_CTX_get0_cert(sc);
	int error = X509_STORE_CTX_get_error(sc), depth = X509_STORE_CTX_get_error_depth(sc);
	const struct tls_ctx *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), *hint = tls_hint(error);
	char *ip = name ? NULL : X509_VERIFY_PARAM_get1_ip_asc(X509_STORE_CTX_get0_param(sc));
	struct buf b;

	if (!name)
		name = ip ? ip : "";
	buf_init(&b, 4096);
	err_set(e, ERR_TLS_VERIFY, "the certificate of %s cannot be verified: %s", name,
		X509_verify_cert_error_string(error));
	if (cert) {
		buf_add_str(&b, depth == 0 ? "Server certificate: " : "CA certificate: ");
		tls_show_cert(&b, cert);
	}
	buf_printf(&b, "wanted \"%s\"; trusted: %s", name, tls_ctx_ca_text(c));
	if (leaf) {
		buf_add_str(&b, "; the server certificate bears ");
		tls_show_sans(&b, leaf);
	}
	buf_add_char(&b, '.');
	err_detail(e, "%s", buf_cstr(&b));
	if (hint)
		err_hint(e, "%s", hint);
	buf_free(&b);
	OPENSSL_free(ip);
}

int tls_verify_callback(int ok, X509_STORE_CTX *sc)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(sc, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct err *e = ssl ? SSL_get_app_data(ssl) : NULL;

	if (ok || !e || e->code != ERR_NONE)
		return ok;
	if (SSL_is_server(ssl))
		tls_explain_client(e, sc);
	else
		tls_explain(e, ssl, sc);
	return ok;
}

bool tls_peer_is_good(const struct tls_ctx *c, const SSL *ssl)
{
	bool shown = SSL_get0_peer_certificate(ssl) != NULL;

	switch (c->opts.verify) {
	case TLS_VERIFY_NONE: return true;
	case TLS_VERIFY_SHOWN: return !shown || SSL_get_verify_result(ssl) == X509_V_OK;
	case TLS_VERIFY_CHAIN:
	case TLS_VERIFY_FULL: break;
	}
	return shown && SSL_get_verify_result(ssl) == X509_V_OK;
}
