/* Two values that follow files: who has what secret, and which client must prove itself how. Looked at when a client logs
 * in: an idle process stays idle, and a stat(2) a second is little. A file that is of no use is tried once: what it says
 * can be long. */
#include "proxy/auth_store.h"

#include <stdatomic.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/regular.h"
#include "io/live.h"

/* What was read at one time. */
struct content {
	struct auth_rules rules; /* first */
	struct auth_users *users;
	bool exposed;
	atomic_uint refs;
};

struct auth_store {
	atomic_uint refs;
	struct auth_store_opts o; /* its paths are owned */
	struct regular_mark seen[AUTH_FILE_COUNT]; /* when it was read, or could not be; of whoever looks */
	struct live users, rules;                  /* of struct content; without ops: there is no such file */
};

static void content_ref(void *value)
{
	struct content *c = value;

	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
}

static void content_unref(void *value)
{
	struct content *c = value;

	if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	auth_users_free(c->users);
	hba_free(c->rules.hba);
	hba_ident_free(c->rules.ident);
	free(c);
}

static struct content *content_new(void)
{
	struct content *c = mem_zalloc(sizeof(*c));

	atomic_init(&c->refs, 1);
	return c;
}

/* ---- reading ---- */

/* To be done before any of what makes one value is read: what changes meanwhile is seen the next time, and what is not come
 * to because another file is of no use is not due again for that. */
static void look_at(struct auth_store *s, enum auth_file which)
{
	if (s->o.path[which])
		regular_look(s->o.path[which], &s->seen[which]);
}

/* The file's text into out, which is made here and to be freed whatever comes. */
static int text_of(const struct auth_store *s, enum auth_file which, struct buf *out, struct stat *st, struct err *e)
{
	buf_init_secret(out, AUTH_USERS_MAX_FILE);
	return regular_read(s->o.path[which], ERR_IO, out, st, e);
}

static void *read_users(void *owner, const void *old, struct err *e)
{
	struct auth_store *s = owner;
	struct content *c = content_new();
	struct stat st;
	struct buf text;

	(void)old;
	look_at(s, AUTH_FILE_USERS);
	if (text_of(s, AUTH_FILE_USERS, &text, &st, e) == 0) {
		c->exposed = (st.st_mode & S_IRWXO) != 0;
		c->users = auth_users_parse(buf_slice(&text), e);
		if (!c->users)
			err_prefix(e, "%s", s->o.path[AUTH_FILE_USERS]);
	}
	buf_free(&text);
	if (c->users)
		return c;
	content_unref(c);
	return NULL;
}

static int read_ident(struct auth_store *s, struct content *c, struct err *e)
{
	const char *path = s->o.path[AUTH_FILE_IDENT];
	struct buf text;

	if (!path)
		return 0;
	if (text_of(s, AUTH_FILE_IDENT, &text, NULL, e) == 0) {
		c->rules.ident = hba_ident_parse(buf_slice(&text), e);
		if (!c->rules.ident)
			err_prefix(e, "%s", path);
	}
	buf_free(&text);
	return c->rules.ident ? 0 : -1;
}

/* Does a line ask for what there is not? */
static int check_hba(const struct auth_store *s, const struct auth_rules *r, struct err *e)
{
	static const enum auth_type secret[] = {AUTH_TYPE_PLAIN, AUTH_TYPE_MD5, AUTH_TYPE_SCRAM};
	const char *map = hba_missing_map(r->hba, r->ident);
	unsigned line = s->o.remote_trust ? 0 : hba_trusts_remote(r->hba);

	if (map)
		return err_set(e, ERR_CONFIG, "auth_ident_file has no map \"%.64s\"", map);
	if (line > 0) {
		err_set(e, ERR_CONFIG, "line %u: other hosts are let in by trust", line);
		err_hint(e, "Ask for a password or a certificate there, or, if the network in front of it is trusted, set "
			    "allow_remote_trust = 1.");
		return -1;
	}
	line = s->o.certificates ? 0 : hba_uses(r->hba, AUTH_TYPE_CERT);
	if (line > 0)
		return err_set(e, ERR_CONFIG,
			       "line %u: cert needs TLS with client_tls_ca_file: clients' certificates are verified by it", line);
	for (size_t i = 0; i < sizeof(secret) / sizeof(*secret) && !s->o.path[AUTH_FILE_USERS]; i++) {
		line = hba_uses(r->hba, secret[i]);
		if (line > 0)
			return err_set(e, ERR_CONFIG, "line %u: needs auth_file, where the users' secrets are", line);
	}
	return 0;
}

static int read_hba(struct auth_store *s, struct content *c, struct err *e)
{
	const char *path = s->o.path[AUTH_FILE_HBA];
	struct buf text;
	int rc;

	if (!path)
		return 0;
	rc = text_of(s, AUTH_FILE_HBA, &text, NULL, e);
	if (rc == 0) {
		c->rules.hba = hba_parse(buf_slice(&text), e);
		if (!c->rules.hba || check_hba(s, &c->rules, e) != 0)
			rc = err_prefix(e, "%s", path);
	}
	buf_free(&text);
	return rc;
}

static void *read_rules(void *owner, const void *old, struct err *e)
{
	struct content *c = content_new();

	(void)old;
	look_at(owner, AUTH_FILE_HBA);
	look_at(owner, AUTH_FILE_IDENT);
	if (read_ident(owner, c, e) == 0 && read_hba(owner, c, e) == 0)
		return c;
	content_unref(c);
	return NULL;
}

/* ---- following ---- */

static bool changed(const struct auth_store *s, enum auth_file which)
{
	return s->o.path[which] && regular_changed(s->o.path[which], &s->seen[which]);
}

static bool users_due(void *owner, const void *value, const struct clock *clock)
{
	(void)value;
	(void)clock;
	return changed(owner, AUTH_FILE_USERS);
}

static bool rules_due(void *owner, const void *value, const struct clock *clock)
{
	(void)value;
	(void)clock;
	return changed(owner, AUTH_FILE_HBA) || changed(owner, AUTH_FILE_IDENT);
}

static void say_users(void *owner, const void *fresh, struct log *log)
{
	(void)fresh;
	log_info(log, "auth_file was read again", LS("file", ((struct auth_store *)owner)->o.path[AUTH_FILE_USERS]));
}

static void say_users_failed(void *owner, const void *old, const struct err *e, bool again, struct log *log)
{
	(void)owner;
	(void)old;
	(void)again;
	log_error(log, "auth_file cannot be used: what it said before holds", LERR(e));
}

static void say_rules(void *owner, const void *fresh, struct log *log)
{
	const struct auth_store *s = owner;

	(void)fresh;
	log_info(log, "auth_hba_file and auth_ident_file were read again", LS("file", s->o.path[AUTH_FILE_HBA]),
		 LS("ident_file", s->o.path[AUTH_FILE_IDENT]));
}

static void say_rules_failed(void *owner, const void *old, const struct err *e, bool again, struct log *log)
{
	(void)owner;
	(void)old;
	(void)again;
	log_error(log, "auth_hba_file or auth_ident_file cannot be used: what they said before holds", LERR(e));
}

static const struct live_ops users_ops = {
	.ref = content_ref,
	.unref = content_unref,
	.is_due = users_due,
	.read = read_users,
	.say = say_users,
	.say_failed = say_users_failed,
};

static const struct live_ops rules_ops = {
	.ref = content_ref,
	.unref = content_unref,
	.is_due = rules_due,
	.read = read_rules,
	.say = say_rules,
	.say_failed = say_rules_failed,
};

/* ---- asking ---- */

static bool is_followed(const struct live *l)
{
	return l->ops != NULL;
}

bool auth_store_secret(struct auth_store *s, const struct clock *clock, struct log *log,
		       const unsigned char key[AUTH_KEY_BYTES], const char *user, struct auth_secret *out)
{
	struct content *c = s && is_followed(&s->users) ? live_get(&s->users, clock, log) : NULL;
	bool known = auth_users_secret(c ? c->users : NULL, key, user, out);

	if (c)
		content_unref(c);
	return known;
}

const struct auth_rules *auth_store_rules(struct auth_store *s, const struct clock *clock, struct log *log)
{
	struct content *c = s && is_followed(&s->rules) ? live_get(&s->rules, clock, log) : NULL;

	return c ? &c->rules : NULL;
}

void auth_rules_unref(const struct auth_rules *r)
{
	if (r)
		content_unref((void *)(uintptr_t)r); /* a struct content's first member; const for its readers */
}

unsigned auth_store_reload(struct auth_store *s, const struct clock *clock, struct log *log)
{
	unsigned failed = 0;

	if (s && is_followed(&s->users))
		failed += live_reload(&s->users, clock, log) != 0;
	if (s && is_followed(&s->rules))
		failed += live_reload(&s->rules, clock, log) != 0;
	return failed;
}

static void summarize_users(struct auth_store *s, struct auth_summary *out)
{
	struct content *c = live_now(&s->users);

	for (enum auth_kind k = AUTH_KIND_PLAIN; k <= AUTH_KIND_SCRAM; k++)
		out->users[k] = auth_users_count(c->users, k);
	out->exposed = c->exposed;
	out->users_failures = live_failures(&s->users);
	content_unref(c);
}

static void summarize_rules(struct auth_store *s, struct auth_summary *out)
{
	struct content *c = live_now(&s->rules);

	out->lines = hba_count(c->rules.hba);
	out->mappings = hba_ident_count(c->rules.ident);
	out->uses_md5 = c->rules.hba && hba_uses(c->rules.hba, AUTH_TYPE_MD5) > 0;
	out->rules_failures = live_failures(&s->rules);
	content_unref(c);
}

void auth_store_summary(struct auth_store *s, struct auth_summary *out)
{
	*out = (struct auth_summary){.lines = 0};
	if (!s)
		return;
	memcpy(out->path, s->o.path, sizeof(out->path));
	if (is_followed(&s->users))
		summarize_users(s, out);
	if (is_followed(&s->rules))
		summarize_rules(s, out);
}

/* ---- life ---- */

static void store_free(struct auth_store *s)
{
	if (is_followed(&s->users))
		live_fini(&s->users);
	if (is_followed(&s->rules))
		live_fini(&s->rules);
	for (size_t i = 0; i < AUTH_FILE_COUNT; i++)
		free((void *)(uintptr_t)s->o.path[i]); /* made by auth_store_new, const for its readers */
	free(s);
}

static bool follow(struct auth_store *s, struct live *l, const struct live_ops *ops, struct err *e)
{
	struct content *c = ops->read(s, NULL, e);

	if (c)
		live_init(l, ops, s, c);
	return c != NULL;
}

/* Which of the two is of no use? */
static enum auth_file bad_rules(struct auth_store *s)
{
	struct content *c = content_new();
	bool ident = read_ident(s, c, NULL) != 0;

	content_unref(c);
	return ident ? AUTH_FILE_IDENT : AUTH_FILE_HBA;
}

struct auth_store *auth_store_new(const struct auth_store_opts *o, auth_store_bad_cb bad, void *arg)
{
	struct auth_store *s = mem_zalloc(sizeof(*s));
	bool good = true;
	struct err e;

	atomic_init(&s->refs, 1);
	s->o = *o;
	for (size_t i = 0; i < AUTH_FILE_COUNT; i++)
		s->o.path[i] = mem_strdup(o->path[i]);
	if (o->path[AUTH_FILE_USERS] && !follow(s, &s->users, &users_ops, &e)) {
		good = false;
		bad(arg, AUTH_FILE_USERS, &e);
	}
	if ((o->path[AUTH_FILE_HBA] || o->path[AUTH_FILE_IDENT]) && !follow(s, &s->rules, &rules_ops, &e)) {
		good = false;
		bad(arg, bad_rules(s), &e);
	}
	if (good)
		return s;
	store_free(s);
	return NULL;
}

struct auth_store *auth_store_ref(struct auth_store *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void auth_store_unref(struct auth_store *s)
{
	if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		store_free(s);
}
