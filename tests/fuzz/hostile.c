#include "hostile.h"

#include <stdio.h>
#include "base/enc.h"
#include "pg/message.h"
#include "pg/parse.h"
#include "pg/scram.h"
#include "told.h"

static void add_message(struct buf *b, uint8_t type, const void *body, size_t n)
{
	unsigned char head[5] = {type, (unsigned char)((n + 4) >> 24), (unsigned char)((n + 4) >> 16),
	                         (unsigned char)((n + 4) >> 8), (unsigned char)(n + 4)};

	buf_add(b, head, 5);
	buf_add(b, body, n);
}

void hostile_message(struct hostile *v, uint8_t type, const void *body, size_t n)
{
	struct buf b;

	buf_init(&b, 1u << 20);
	add_message(&b, type, body, n);
	talk_say(&v->t, b.p, b.n);
	buf_free(&b);
	v->ready |= type == 'Z';
}

void hostile_auth(struct hostile *v, uint32_t request, const void *data, size_t n)
{
	unsigned char body[1024] = {(unsigned char)(request >> 24), (unsigned char)(request >> 16),
	                            (unsigned char)(request >> 8), (unsigned char)request};

	if (n > sizeof(body) - 4)
		n = sizeof(body) - 4;
	if (n > 0)
		memcpy(body + 4, data, n);
	v->asked_clear |= request == AUTH_CLEARTEXT;
	hostile_message(v, 'R', body, 4 + n);
}

/* Where the last thing heard begins with this; NULL if there is none. */
static const char *heard(struct hostile *v, const char *what)
{
	const char *all = buf_cstr(&v->heard), *found = NULL;
	size_t n = strlen(what);

	for (size_t i = 0; i + n <= v->heard.n; i++)
		if (memcmp(all + i, what, n) == 0)
			found = all + i;
	return found;
}

void hostile_scram_first(struct hostile *v, const struct step *st)
{
	static const char *const salts[] = {"MDEyMzQ1Njc4OWFiY2RlZg==", "", "!", "MA=="};
	static const char *const rounds[] = {"64", "4096", "0", "999999999999", "1000001"};
	const char *bare = heard(v, "n=,r=");
	char reply[256];

	if (!bare || v->sasl.n > 0 || strlen(bare) > 100)
		return;
	snprintf(reply, sizeof(reply), "r=%s%s,s=%s,i=%s", bare + 5, step_byte(st, 0) & 1 ? "" : "xyz",
	         salts[step_byte(st, 0) / 2 % 4], rounds[step_byte(st, 0) / 8 % 5]);
	buf_printf(&v->sasl, "%s,%s,", bare, reply);
	hostile_auth(v, AUTH_SASL_CONTINUE, reply, strlen(reply));
}

void hostile_scram_final(struct hostile *v, const struct step *st)
{
	static const unsigned char salted[SCRAM_KEY_BYTES];
	unsigned char proof[SCRAM_KEY_BYTES], signature[SCRAM_KEY_BYTES];
	const char *msg = heard(v, "c="), *end = heard(v, ",p=");
	struct buf auth, reply;

	if (!msg || !end || end < msg || v->sasl.n == 0)
		return;
	buf_init(&auth, 8192);
	buf_init(&reply, 256);
	buf_add_slice(&auth, buf_slice(&v->sasl));
	buf_add(&auth, msg, (size_t)(end - msg));
	scram_sign(salted, buf_slice(&auth), proof, signature);
	signature[0] ^= step_byte(st, 0);
	buf_add_str(&reply, "v=");
	enc_base64(&reply, slice_of(signature, sizeof(signature)));
	hostile_auth(v, AUTH_SASL_FINAL, reply.p, reply.n);
	buf_free(&auth);
	buf_free(&reply);
}

void hostile_error(struct hostile *v, const struct step *st, const char *detail)
{
	static const char *const states[] = {"28000", "28P01", "53300", "57P03", "3D000", "XX000", "0A000", "08P01"};
	static const char *const severities[] = {"FATAL", "ERROR", "PANIC", ""};
	char text[600];
	struct buf b;

	snprintf(text, sizeof(text), TOLD_MARK " %.*s", (int)(step_from(st, 1).n < 500 ? step_from(st, 1).n : 500),
	         step_from(st, 1).n ? (const char *)step_from(st, 1).p : "");
	buf_init(&b, 8192);
	message_error(&b, &(struct message_error){.severity = severities[step_byte(st, 0) / 8 % 4],
	                                          .sqlstate = states[step_byte(st, 0) % 8],
	                                          .message = text,
	                                          .detail = detail,
	                                          .hint = detail});
	talk_say(&v->t, b.p, b.n);
	buf_free(&b);
}

void hostile_echo(struct hostile *v, const struct step *st, const char *secret)
{
	static const char fields[] = "SVCMDHWFLRsctdn";
	struct buf b;

	if (step_byte(st, 0) & 1 && strlen(secret) > 100) /* what gives a token away is its end */
		secret += strlen(secret) - 40 - (step_byte(st, 1) % 16);
	buf_init(&b, 8192);
	buf_add(&b, "SFATAL\0C28P01", 14);
	buf_add_char(&b, fields[step_byte(st, 2) % (sizeof(fields) - 1)]);
	buf_add(&b, "xxxxxxxxxxxxxxxx", step_byte(st, 3) % 16);
	buf_add_str(&b, secret);
	buf_add(&b, "\0", 2);
	hostile_message(v, 'E', b.p, b.n);
	buf_free(&b);
}

void hostile_setup(struct hostile *v)
{
	hostile_message(v, 'S', "server_version\00016 " TOLD_MARK, 15 + 3 + sizeof(TOLD_MARK));
	hostile_message(v, 'K', "\0\0\0\1abcd", 8);
	hostile_message(v, 'Z', "I", 1);
}

void hostile_flood(struct hostile *v, const struct step *st)
{
	unsigned n = 16u * step_byte(st, 0);
	char body[600];
	struct buf b;
	int name;

	buf_init(&b, 1u << 20);
	for (unsigned i = 0; i < n && b.n < (1u << 19); i++) {
		name = snprintf(body, 64, "p%u", step_byte(st, 2) & 1 ? i : i % 4);
		memset(body + name + 1, 'v', 512);
		body[name + 1 + 2 * step_byte(st, 1)] = '\0';
		add_message(&b, step_byte(st, 2) & 2 ? 'N' : 'S', body, (size_t)name + 2 + 2u * step_byte(st, 1));
	}
	if (v->t.out.n < (1u << 20))
		talk_say(&v->t, b.p, b.n);
	buf_free(&b);
}

void hostile_negotiate(struct hostile *v, const struct step *st)
{
	unsigned char body[300] = {0, step_byte(st, 0) & 16 ? 3 : 0, 0, step_byte(st, 0) % 16, 0, 0, 0, step_byte(st, 1)};
	struct slice names = step_from(st, 2);
	size_t n = names.n < 290 ? names.n : 290;

	if (n > 0)
		memcpy(body + 8, names.p, n);
	hostile_message(v, 'v', body, 8 + n);
}

void hostile_offer(struct hostile *v, const struct step *st)
{
	static const struct {
		const char *list;
		size_t n;
	} offers[] = {{"SCRAM-SHA-256\0", 15}, {"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0", 34}, {"SCRAM-SHA-256-PLUS\0", 20},
	              {"OAUTHBEARER\0SCRAM-SHA-256\0", 27}, {"OAUTHBEARER\0", 13}};

	hostile_auth(v, AUTH_SASL, offers[step_byte(st, 0) % 5].list, offers[step_byte(st, 0) % 5].n);
}
