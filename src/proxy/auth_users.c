/* A name that is not in the file must not be told from one that is. So what is made up for it follows one of the file's
 * own entries, which a keyed hash of the name picks: over many names, made-up ones look as varied as real ones, and the
 * same name looks the same each time. */
#include "proxy/auth_users.h"

#include <stdlib.h>
#include "base/enc.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rd.h"

struct entry {
	char *user;
	unsigned line;
	bool barred; /* its secret is empty */
	struct auth_secret secret;
};

struct auth_users {
	struct entry **v; /* owned */
	size_t n, size;
	struct map *by_name; /* struct entry */
	size_t usable[3];    /* not barred, by kind */
};

void auth_secret_clear(struct auth_secret *s)
{
	secret_clear(&s->plain);
	mem_wipe(s, sizeof(*s));
}

static void entry_free(struct entry *en)
{
	auth_secret_clear(&en->secret);
	free(en->user);
	free(en);
}

void auth_users_free(struct auth_users *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->n; i++)
		entry_free(u->v[i]);
	free(u->v);
	map_free(u->by_name);
	free(u);
}

size_t auth_users_count(const struct auth_users *u, enum auth_kind kind)
{
	return u->usable[kind];
}

/* ---- the file ---- */

static int wrong(struct err *e, unsigned line, const char *what)
{
	err_set(e, ERR_CONFIG, "line %u: %s", line, what);
	err_hint(e, "A line is \"user\" \"secret\", both in double quotes, or begins with a semicolon.");
	return -1;
}

/* A quoted string at the front of r, its quotes undoubled into out. */
static bool take_quoted(struct rd *r, struct buf *out)
{
	if (rd_u8(r) != '"')
		return false;
	while (r->left > 0) {
		char c = (char)rd_u8(r);

		if (c == '"' && (r->left == 0 || r->p[0] != '"'))
			return !out->full;
		if (c == '"')
			rd_u8(r);
		buf_add_char(out, c);
	}
	return false;
}

static void skip_blanks(struct rd *r)
{
	while (r->left > 0 && (r->p[0] == ' ' || r->p[0] == '\t' || r->p[0] == '\r'))
		rd_u8(r);
}

static int read_secret(struct slice text, struct entry *en, struct err *e)
{
	struct err why;

	en->barred = text.n == 0;
	if (slice_starts(text, SCRAM_SECRET_PREFIX)) {
		en->secret.kind = AUTH_KIND_SCRAM;
		if (scram_secret_parse(text, &en->secret.scram, &why) != 0)
			return wrong(e, en->line, why.msg);
	} else if (password_is_md5(text, en->secret.md5)) {
		en->secret.kind = AUTH_KIND_MD5;
	} else {
		en->secret.kind = AUTH_KIND_PLAIN;
		secret_set(&en->secret.plain, text);
	}
	return 0;
}

static int add(struct auth_users *u, struct slice user, struct slice secret, unsigned line, struct err *e)
{
	struct entry *en = map_get(u->by_name, user);

	if (en) {
		err_set(e, ERR_CONFIG, "line %u: this user is on line %u already", line, en->line);
		return -1;
	}
	en = mem_zalloc(sizeof(*en));
	en->user = slice_dup(user);
	en->line = line;
	if (read_secret(secret, en, e) != 0) {
		entry_free(en);
		return -1;
	}
	if (u->n == u->size) {
		u->size = u->size ? 2 * u->size : 16;
		u->v = mem_resize(u->v, u->size * sizeof(*u->v));
	}
	u->v[u->n++] = en;
	map_put(u->by_name, user, en);
	if (!en->barred)
		u->usable[en->secret.kind]++;
	return 0;
}

static int read_line(struct auth_users *u, struct slice text, unsigned line, struct err *e)
{
	struct rd r = rd_init(text);
	struct buf user, secret;
	int rc = -1;

	buf_init(&user, AUTH_USERS_MAX_NAME - 1);
	buf_init_secret(&secret, AUTH_USERS_MAX_SECRET - 1);
	skip_blanks(&r);
	if (r.left == 0 || r.p[0] == ';') {
		rc = 0;
	} else if (memchr(text.p, '\0', text.n)) {
		wrong(e, line, "there is a NUL in it");
	} else if (!take_quoted(&r, &user)) {
		wrong(e, line, user.full ? "the user's name is too long" : "it begins with no user in double quotes");
	} else if (user.n == 0) {
		wrong(e, line, "the user's name is empty");
	} else {
		skip_blanks(&r);
		if (take_quoted(&r, &secret))
			rc = add(u, buf_slice(&user), buf_slice(&secret), line, e);
		else
			wrong(e, line, secret.full ? "the secret is too long"
						   : "behind the user there is no secret in double quotes");
	}
	buf_free(&user);
	buf_free(&secret);
	return rc;
}

struct auth_users *auth_users_parse(struct slice text, struct err *e)
{
	struct auth_users *u = mem_zalloc(sizeof(*u));
	struct rd r = rd_init(text);

	u->by_name = map_new();
	for (unsigned line = 1; r.left > 0; line++) {
		const unsigned char *end = memchr(r.p, '\n', r.left);
		struct slice s = rd_bytes(&r, end ? (size_t)(end - r.p) : r.left);

		if (end)
			rd_u8(&r);
		if (read_line(u, s, line, e) != 0) {
			auth_users_free(u);
			return NULL;
		}
	}
	return u;
}

/* ---- whoever is not in it ---- */

/* n bytes that only the key tells; the same for the same label and user. */
static void derive(const unsigned char key[AUTH_KEY_BYTES], const char *label, const char *user, unsigned char *out, size_t n)
{
	unsigned char block[DIGEST_SHA256_BYTES];
	struct buf in;

	buf_init(&in, 65536);
	for (unsigned char i = 0; n > 0; i++) {
		size_t part = n < sizeof(block) ? n : sizeof(block);

		buf_clear(&in);
		buf_add_str(&in, label);
		buf_add_char(&in, (char)i);
		buf_add_str(&in, user);
		digest_hmac_sha256(slice_of(key, AUTH_KEY_BYTES), buf_slice(&in), block);
		memcpy(out, block, part);
		out += part;
		n -= part;
	}
	mem_wipe(block, sizeof(block));
	buf_free(&in);
}

/* PostgreSQL hashes with SCRAM what is kept in clear with a salt of the moment; here it is one of the user's own, like
 * a real secret's, or the moment would tell the two apart. */
static void set_salt(const unsigned char key[AUTH_KEY_BYTES], const char *user, size_t bytes, uint32_t iterations,
		     struct scram_secret *out)
{
	out->iterations = iterations;
	out->salt_bytes = bytes;
	derive(key, "salt", user, out->salt, bytes);
}

void auth_users_mock_scram(const unsigned char key[AUTH_KEY_BYTES], const char *user, struct auth_secret *out)
{
	*out = (struct auth_secret){.kind = AUTH_KIND_SCRAM};
	set_salt(key, user, SCRAM_SECRET_SALT, SCRAM_SECRET_ITERATIONS, &out->scram);
	derive(key, "keys", user, (unsigned char *)&out->scram.keys, sizeof(out->scram.keys));
}

/* A secret like this one that nobody knows. */
static void imitate(const struct auth_secret *of, const unsigned char key[AUTH_KEY_BYTES], const char *user,
		    struct auth_secret *out)
{
	unsigned char raw[DIGEST_SHA256_BYTES];

	auth_users_mock_scram(key, user, out);
	out->kind = of->kind;
	if (of->kind == AUTH_KIND_SCRAM)
		set_salt(key, user, of->scram.salt_bytes, of->scram.iterations, &out->scram);
	derive(key, "md5", user, out->md5, sizeof(out->md5));
	if (of->kind == AUTH_KIND_PLAIN) {
		derive(key, "plain", user, raw, sizeof(raw));
		secret_set(&out->plain, slice_of(raw, sizeof(raw)));
		mem_wipe(raw, sizeof(raw));
	}
}

/* The real one in its place. What is kept in clear keeps the salt that was made up: it has none. */
static void reveal(const struct auth_secret *real, struct auth_secret *out)
{
	switch (real->kind) {
	case AUTH_KIND_PLAIN: secret_set(&out->plain, secret_slice(&real->plain)); return;
	case AUTH_KIND_MD5: memcpy(out->md5, real->md5, sizeof(out->md5)); return;
	case AUTH_KIND_SCRAM: out->scram = real->scram; return;
	}
}

/* The entry that a name which is not in the file follows; NULL: there are none. */
static const struct entry *model(const struct auth_users *u, const unsigned char key[AUTH_KEY_BYTES], const char *user)
{
	unsigned char pick[4];

	derive(key, "pick", user, pick, sizeof(pick));
	return u && u->n > 0 ? u->v[((uint32_t)pick[0] << 24 | (uint32_t)pick[1] << 16 | (uint32_t)pick[2] << 8 | pick[3]) % u->n]
			     : NULL;
}

/* The work is the same for everybody: who was spared making something up would be known by it. */
bool auth_users_secret(const struct auth_users *u, const unsigned char key[AUTH_KEY_BYTES], const char *user,
		       struct auth_secret *out)
{
	const struct entry *en = u ? map_get(u->by_name, slice_str(user)) : NULL, *like = model(u, key, user);
	bool known = en && !en->barred;

	if (known)
		like = en;
	if (like)
		imitate(&like->secret, key, user, out);
	else
		auth_users_mock_scram(key, user, out);
	if (known)
		reveal(&en->secret, out);
	return known;
}
