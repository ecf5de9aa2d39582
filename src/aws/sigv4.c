/* The canonical request holds the session token, so it lives in a buffer that is wiped; keys of the HMAC
 * chain are wiped as soon as the next one is made. */
#include "aws/sigv4.h"

#include <assert.h>
#include <stdio.h>
#include "base/enc.h"
#include "base/mem.h"

#define ALGORITHM     "AWS4-HMAC-SHA256"
#define SCOPE_MAX     512
#define CANONICAL_MAX (256 * 1024)
#define ADDED_PAIRS                                                                                          \
	6 /* the most sigv4_presign adds: algorithm, credential, date, expiry, signed headers, token */

/* One encoded "name=value" of the query, by position: the buffer may move while it grows. */
struct param {
	size_t at, name_n, n;
};

struct query {
	struct buf *out;
	size_t begin;
	struct param param[SIGV4_PAIRS_MAX + ADDED_PAIRS];
	size_t count;
};

static void hmac_str(const unsigned char key[DIGEST_SHA256_BYTES], const char *s,
		     unsigned char out[DIGEST_SHA256_BYTES])
{
	digest_hmac_sha256(slice_of(key, DIGEST_SHA256_BYTES), slice_str(s), out);
}

void sigv4_signing_key(struct slice secret_key, const char *date, const char *region, const char *service,
		       unsigned char out[DIGEST_SHA256_BYTES])
{
	unsigned char a[DIGEST_SHA256_BYTES], b[DIGEST_SHA256_BYTES];
	struct buf first;

	buf_init_secret(&first, CREDENTIALS_KEY_MAX + 4);
	buf_add_str(&first, "AWS4");
	buf_add_slice(&first, secret_key);
	assert(!first.full); /* credentials_new bounds the key */
	digest_hmac_sha256(buf_slice(&first), slice_of(date, 8), a);
	hmac_str(a, region, b);
	hmac_str(b, service, a);
	hmac_str(a, "aws4_request", out);
	buf_free(&first);
	mem_wipe(a, sizeof(a));
	mem_wipe(b, sizeof(b));
}

static void add_hash(struct buf *b, struct slice s)
{
	unsigned char hash[DIGEST_SHA256_BYTES];

	digest_sha256(s, hash);
	enc_hex(b, slice_of(hash, sizeof(hash)));
}

/* "20260115/us-east-1/rds-db/aws4_request" */
static void add_scope(struct buf *b, const struct sigv4_signer *s, const char *date)
{
	buf_printf(b, "%.8s/%s/%s/aws4_request", date, s->region, s->service);
}

/* Adds the signature of a canonical request, in hexadecimal. */
static void add_signature(struct buf *out, const struct sigv4_signer *s, const char *date,
			  struct slice canonical)
{
	unsigned char key[DIGEST_SHA256_BYTES], mac[DIGEST_SHA256_BYTES];
	struct buf text;

	buf_init(&text, SCOPE_MAX + 256);
	buf_printf(&text, ALGORITHM "\n%s\n", date);
	add_scope(&text, s, date);
	buf_add_char(&text, '\n');
	add_hash(&text, canonical);
	if (text.full)
		out->full = true;
	sigv4_signing_key(secret_slice(&s->creds->secret_key), date, s->region, s->service, key);
	digest_hmac_sha256(slice_of(key, sizeof(key)), buf_slice(&text), mac);
	enc_hex(out, slice_of(mac, sizeof(mac)));
	buf_free(&text);
	mem_wipe(key, sizeof(key));
}

static void query_add(struct query *q, struct slice name, struct slice value)
{
	struct param *p = &q->param[q->count++];

	if (q->out->n > q->begin)
		buf_add_char(q->out, '&');
	p->at = q->out->n;
	enc_percent(q->out, name);
	p->name_n = q->out->n - p->at;
	buf_add_char(q->out, '=');
	enc_percent(q->out, value);
	p->n = q->out->n - p->at;
}

static void query_add_str(struct query *q, const char *name, const char *value)
{
	query_add(q, slice_str(name), slice_str(value));
}

static int slice_order(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	if (c != 0)
		return c;
	return a.n < b.n ? -1 : a.n > b.n;
}

/* By name and then value: comparing "name=value" whole would put "a-b" before "a". */
static int param_order(const unsigned char *text, const struct param *a, const struct param *b)
{
	int c = slice_order(slice_of(text + a->at, a->name_n), slice_of(text + b->at, b->name_n));

	return c ? c : slice_order(slice_of(text + a->at, a->n), slice_of(text + b->at, b->n));
}

static void query_sort(struct query *q)
{
	for (size_t i = 1; i < q->count; i++) {
		struct param p = q->param[i];
		size_t j = i;

		for (; j > 0 && param_order(q->out->p, &p, &q->param[j - 1]) < 0; j--)
			q->param[j] = q->param[j - 1];
		q->param[j] = p;
	}
}

int sigv4_presign(const struct sigv4_signer *s, const struct sigv4_presign *rq, struct buf *out,
		  struct err *e)
{
	struct query q = {.out = out, .begin = out->n};
	char date[DATE_AMZ_SIZE], expires[16];
	struct buf credential, canonical;
	int rc = 0;

	if (rq->pair_count > SIGV4_PAIRS_MAX)
		return err_set(e, ERR_LIMIT, "too many parameters to sign");
	buf_init(&credential, CREDENTIALS_KEY_MAX + SCOPE_MAX);
	buf_init_secret(&canonical, CANONICAL_MAX);
	date_format_amz(s->wall_us, date);
	snprintf(expires, sizeof(expires), "%u", (unsigned)rq->expires_sec);
	buf_printf(&credential, "%s/", s->creds->access_key);
	add_scope(&credential, s, date);

	for (size_t i = 0; i < rq->pair_count; i++)
		query_add(&q, rq->pairs[i].name, rq->pairs[i].value);
	query_add_str(&q, "X-Amz-Algorithm", ALGORITHM);
	query_add(&q, slice_str("X-Amz-Credential"), buf_slice(&credential));
	query_add_str(&q, "X-Amz-Date", date);
	query_add_str(&q, "X-Amz-Expires", expires);
	query_add_str(&q, "X-Amz-SignedHeaders", "host");
	if (secret_is_set(&s->creds->session_token))
		query_add(&q, slice_str("X-Amz-Security-Token"), secret_slice(&s->creds->session_token));

	if (!out->full) {
		query_sort(&q);
		buf_add_str(&canonical, "GET\n/\n");
		for (size_t i = 0; i < q.count; i++) {
			if (i > 0)
				buf_add_char(&canonical, '&');
			buf_add(&canonical, out->p + q.param[i].at, q.param[i].n);
		}
		buf_printf(&canonical, "\nhost:%s\n\nhost\n", rq->host);
		add_hash(&canonical, slice_str(""));
		buf_add_str(out, "&X-Amz-Signature=");
		add_signature(out, s, date, buf_slice(&canonical));
	}
	if (credential.full || canonical.full || out->full)
		rc = err_set(e, ERR_LIMIT, "the signed text would be longer than %zu bytes", out->max);
	buf_free(&credential);
	buf_free(&canonical);
	return rc;
}

/* Trimmed, runs of blanks made one: what SigV4 signs of a header's value. */
static void add_header_value(struct buf *b, struct slice v)
{
	bool blank = false, any = false;

	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == ' ' || v.p[i] == '\t') {
			blank = true;
			continue;
		}
		if (blank && any)
			buf_add_char(b, ' ');
		buf_add_char(b, (char)v.p[i]);
		blank = false;
		any = true;
	}
}

static void headers_sort(struct sigv4_pair *h, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct sigv4_pair p = h[i];
		size_t j = i;

		for (; j > 0 && slice_order(p.name, h[j - 1].name) < 0; j--)
			h[j] = h[j - 1];
		h[j] = p;
	}
}

static void add_signed_names(struct buf *b, const struct sigv4_pair *h, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(b, ';');
		buf_add_slice(b, h[i].name);
	}
}

int sigv4_authorization(const struct sigv4_signer *s, const struct sigv4_request *rq,
			char date[DATE_AMZ_SIZE], struct buf *out, struct err *e)
{
	struct sigv4_pair h[SIGV4_PAIRS_MAX + 2];
	size_t n = 0;
	struct buf canonical;
	int rc = 0;

	if (rq->header_count > SIGV4_PAIRS_MAX)
		return err_set(e, ERR_LIMIT, "too many headers to sign");
	date_format_amz(s->wall_us, date);
	for (; n < rq->header_count; n++)
		h[n] = rq->headers[n];
	h[n++] = (struct sigv4_pair){slice_str("x-amz-date"), slice_str(date)};
	if (secret_is_set(&s->creds->session_token))
		h[n++] = (struct sigv4_pair){slice_str("x-amz-security-token"),
					     secret_slice(&s->creds->session_token)};
	headers_sort(h, n);

	buf_init_secret(&canonical, CANONICAL_MAX);
	buf_printf(&canonical, "%s\n%s\n%s\n", rq->method, rq->path, rq->query);
	for (size_t i = 0; i < n; i++) {
		buf_add_slice(&canonical, h[i].name);
		buf_add_char(&canonical, ':');
		add_header_value(&canonical, h[i].value);
		buf_add_char(&canonical, '\n');
	}
	buf_add_char(&canonical, '\n');
	add_signed_names(&canonical, h, n);
	buf_add_char(&canonical, '\n');
	add_hash(&canonical, rq->body);

	buf_printf(out, ALGORITHM " Credential=%s/", s->creds->access_key);
	add_scope(out, s, date);
	buf_add_str(out, ", SignedHeaders=");
	add_signed_names(out, h, n);
	buf_add_str(out, ", Signature=");
	add_signature(out, s, date, buf_slice(&canonical));
	if (canonical.full || out->full)
		rc = err_set(e, ERR_LIMIT, "the request to sign is too long");
	buf_free(&canonical);
	return rc;
}
