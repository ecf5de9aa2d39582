/* All words of a line are judged when the file is read: what would fit nobody, because of a misspelt word, is an error of the file.
 * What is left is compared in order and copies nothing: clients that have proved nothing have this done. */
#include "proxy/hba.h"

#include <netinet/in.h>
#include <stdlib.h>
#include "base/mem.h"
#include "proxy/auth_token.h"

enum rule_type { RULE_LOCAL, RULE_HOST, RULE_HOSTSSL, RULE_HOSTNOSSL };

struct names {
	struct auth_item *item; /* owned */
	size_t n;
};

struct rule {
	unsigned line;
	enum rule_type type;
	struct names databases, users;
	bool any_address;
	struct addr address, mask;
	enum auth_type method;
	char *map;
};

struct hba {
	struct rule *v;
	size_t n;
};

static const char *const types[] = {"local", "host", "hostssl", "hostnossl"};

static const struct {
	const char *name;
	enum auth_type type;
} methods[] = {
	{"trust",         AUTH_TYPE_TRUST },
        {"reject",        AUTH_TYPE_REJECT},
        {"password",      AUTH_TYPE_PLAIN },
	{"plain",         AUTH_TYPE_PLAIN },
        {"md5",           AUTH_TYPE_MD5   },
        {"scram-sha-256", AUTH_TYPE_SCRAM },
	{"cert",          AUTH_TYPE_CERT  },
        {"peer",          AUTH_TYPE_PEER  },
};

static void names_free(struct names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->item[i].text);
	free(n->item);
}

void hba_free(struct hba *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->n; i++) {
		names_free(&h->v[i].databases);
		names_free(&h->v[i].users);
		free(h->v[i].map);
	}
	free(h->v);
	free(h);
}

size_t hba_count(const struct hba *h)
{
	return h ? h->n : 0;
}

/* ---- reading ---- */

static int bad(const struct auth_line *l, struct err *e, const char *what, const char *word)
{
	return err_set(e, ERR_CONFIG, "line %u: %s: \"%.64s\"", l->line, what, word);
}

/* The field's only item, or NULL. */
static const struct auth_item *single(const struct auth_line *l, size_t i)
{
	return i < l->n && l->field[i].n == 1 ? &l->field[i].item[0] : NULL;
}

/* Takes a field as a list of names. What PostgreSQL would give a meaning that is not here is refused. */
static int take_names(struct auth_line *l, size_t i, const char *const *unknown, struct names *out, struct err *e)
{
	struct auth_field *f = &l->field[i];

	for (size_t j = 0; j < f->n; j++) {
		const struct auth_item *it = &f->item[j];

		if (it->quoted)
			continue;
		if (strchr("@+/", it->text[0]))
			return bad(l, e, "files, groups and regular expressions are not known here", it->text);
		for (const char *const *u = unknown; *u; u++)
			if (strcmp(it->text, *u) == 0)
				return bad(l, e, "not known here", it->text);
	}
	*out = (struct names){f->item, f->n};
	f->item = NULL;
	f->n = 0;
	return 0;
}

static size_t address_bytes(const struct addr *a, const unsigned char **p)
{
	if (a->ss.ss_family == AF_INET) {
		*p = (const unsigned char *)&((const struct sockaddr_in *)(const void *)&a->ss)->sin_addr;
		return 4;
	}
	*p = (const unsigned char *)&((const struct sockaddr_in6 *)(const void *)&a->ss)->sin6_addr;
	return 16;
}

static void make_mask(const struct addr *like, unsigned bits, struct addr *out)
{
	const unsigned char *at;
	unsigned char *p;
	size_t n;

	*out = *like;
	n = address_bytes(out, &at);
	p = (unsigned char *)&out->ss + (at - (const unsigned char *)&out->ss);
	for (size_t i = 0; i < n; i++)
		p[i] = bits >= 8 * (i + 1) ? 0xff : bits > 8 * i ? (unsigned char)(0xff00u >> (bits - 8 * i)) : 0;
}

/* ADDRESS, from field *i on: all, address/bits, or address and mask. */
static int take_address(const struct auth_line *l, size_t *i, struct rule *r, struct err *e)
{
	const struct auth_item *a = single(l, *i), *m;
	const char *slash = a ? strchr(a->text, '/') : NULL;
	const unsigned char *unused;
	char ip[AUTH_TOKEN_MAX];
	size_t n;

	if (!a)
		return err_set(e, ERR_CONFIG, "line %u: an address is missing", l->line);
	++*i;
	if (auth_item_is(a, "all")) {
		r->any_address = true;
		return 0;
	}
	n = slash ? (size_t)(slash - a->text) : strlen(a->text);
	memcpy(ip, a->text, n);
	ip[n] = '\0';
	if (addr_parse(&r->address, ip, 0) != 0)
		return bad(l, e, "no IP address (names, samehost and samenet are not known here)", a->text);
	if (slash) {
		unsigned long bits = strspn(slash + 1, "0123456789") == strlen(slash + 1) ? strtoul(slash + 1, NULL, 10) : 999;

		if (!slash[1] || bits > 8 * address_bytes(&r->address, &unused))
			return bad(l, e, "no prefix length", a->text);
		make_mask(&r->address, (unsigned)bits, &r->mask);
		return 0;
	}
	m = single(l, *i);
	if (!m || addr_parse(&r->mask, m->text, 0) != 0 || r->mask.ss.ss_family != r->address.ss.ss_family)
		return bad(l, e, "behind it there is neither a prefix length nor a mask", a->text);
	++*i;
	return 0;
}

static int take_method(const struct auth_line *l, size_t *i, struct rule *r, struct err *e)
{
	const struct auth_item *m = single(l, *i);
	size_t k = 0;

	if (!m)
		return err_set(e, ERR_CONFIG, "line %u: a method is missing", l->line);
	++*i;
	while (k < sizeof(methods) / sizeof(*methods) && strcmp(m->text, methods[k].name) != 0)
		k++;
	if (k == sizeof(methods) / sizeof(*methods))
		return bad(l, e, "not a method that is known here", m->text);
	r->method = methods[k].type;
	if (r->method == AUTH_TYPE_PEER && r->type != RULE_LOCAL)
		return err_set(e, ERR_CONFIG, "line %u: peer is for local lines only", l->line);
	if (r->method == AUTH_TYPE_CERT && r->type != RULE_HOSTSSL)
		return err_set(e, ERR_CONFIG, "line %u: cert is for hostssl lines only", l->line);
	return 0;
}

static int take_options(const struct auth_line *l, size_t i, struct rule *r, struct err *e)
{
	for (; i < l->n; i++) {
		const struct auth_item *o = single(l, i);

		if (!o || strncmp(o->text, "map=", 4) != 0 || !o->text[4] || r->map)
			return bad(l, e, "not known here", l->field[i].item[0].text);
		if (r->method != AUTH_TYPE_PEER && r->method != AUTH_TYPE_CERT)
			return err_set(e, ERR_CONFIG, "line %u: map= is for peer and cert only", l->line);
		r->map = mem_strdup(o->text + 4);
	}
	return 0;
}

static int take_rule(struct auth_line *l, struct rule *r, struct err *e)
{
	static const char *const no_databases[] = {"samerole", "samegroup", NULL}, *const no_users[] = {NULL};
	const struct auth_item *type = single(l, 0);
	size_t i = 3;

	r->line = l->line;
	while (type && r->type < 4 && !auth_item_is(type, types[r->type]))
		r->type++;
	if (!type || r->type == 4)
		return bad(l, e, "a line begins with local, host, hostssl or hostnossl", l->field[0].item[0].text);
	if (l->n < 4)
		return err_set(e, ERR_CONFIG, "line %u: database, user or method is missing", l->line);
	if (take_names(l, 1, no_databases, &r->databases, e) != 0 || take_names(l, 2, no_users, &r->users, e) != 0)
		return -1;
	if (r->type != RULE_LOCAL && take_address(l, &i, r, e) != 0)
		return -1;
	return take_method(l, &i, r, e) != 0 ? -1 : take_options(l, i, r, e);
}

struct hba *hba_parse(struct slice text, struct err *e)
{
	struct hba *h = mem_zalloc(sizeof(*h));
	struct rd r = rd_init(text);
	struct auth_line l = {.n = 0};
	unsigned number = 0;
	int rc;

	while ((rc = auth_line_next(&r, &number, &l, e)) > 0) {
		h->v = mem_resize(h->v, (h->n + 1) * sizeof(*h->v));
		h->v[h->n] = (struct rule){0};
		rc = take_rule(&l, &h->v[h->n++], e);
		auth_line_free(&l);
		if (rc != 0)
			break;
	}
	auth_line_free(&l);
	if (rc == 0)
		return h;
	hba_free(h);
	return NULL;
}

/* ---- asking ---- */

static bool user_fits(const struct names *n, const char *user)
{
	for (size_t i = 0; i < n->n; i++)
		if (auth_item_is(&n->item[i], "all") || strcmp(n->item[i].text, user) == 0)
			return true;
	return false;
}

/* As in PostgreSQL, "all" is not for physical replication, which is in no database. */
static bool database_fits(const struct names *n, const struct hba_client *c)
{
	for (size_t i = 0; i < n->n; i++) {
		const struct auth_item *it = &n->item[i];

		if (auth_item_is(it, "replication") ? c->replication
		    : c->replication                ? false
		    : auth_item_is(it, "all")       ? true
		    : auth_item_is(it, "sameuser")  ? strcmp(c->database, c->user) == 0
						    : strcmp(c->database, it->text) == 0)
			return true;
	}
	return false;
}

/* IPv4 as IPv6 sockets have it is IPv4. */
static size_t peer_bytes(const struct addr *a, const unsigned char **p)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	size_t n = address_bytes(a, p);

	if (n == 16 && memcmp(*p, mapped, sizeof(mapped)) == 0) {
		*p += 12;
		return 4;
	}
	return n;
}

static bool address_fits(const struct rule *r, const struct addr *peer)
{
	const unsigned char *a, *m, *p;
	size_t n;

	if (r->any_address)
		return true;
	n = address_bytes(&r->address, &a);
	address_bytes(&r->mask, &m);
	if (peer_bytes(peer, &p) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((a[i] ^ p[i]) & m[i])
			return false;
	return true;
}

static bool type_fits(const struct rule *r, const struct hba_client *c)
{
	switch (r->type) {
	case RULE_LOCAL: return c->local;
	case RULE_HOST: return !c->local;
	case RULE_HOSTSSL: return !c->local && c->tls;
	case RULE_HOSTNOSSL: return !c->local && !c->tls;
	}
	return false;
}

bool hba_find(const struct hba *h, const struct hba_client *c, struct hba_answer *out)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct rule *r = &h->v[i];

		if (!type_fits(r, c) || (r->type != RULE_LOCAL && !address_fits(r, c->peer)) ||
		    !database_fits(&r->databases, c) || !user_fits(&r->users, c->user))
			continue;
		*out = (struct hba_answer){r->method, r->map};
		return true;
	}
	return false;
}

unsigned hba_uses(const struct hba *h, enum auth_type method)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].method == method)
			return h->v[i].line;
	return 0;
}

/* Does the rule's address let in nobody but this host? A mask may have holes. */
static bool is_loopback_only(const struct rule *r)
{
	const unsigned char *m = NULL;
	size_t n = r->any_address ? 0 : address_bytes(&r->mask, &m);

	for (size_t i = 0; i < (n == 4 ? 1 : n); i++)
		if (m[i] != 0xff)
			return false;
	return n > 0 && addr_is_loopback(&r->address);
}

unsigned hba_trusts_remote(const struct hba *h)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].method == AUTH_TYPE_TRUST && h->v[i].type != RULE_LOCAL && !is_loopback_only(&h->v[i]))
			return h->v[i].line;
	return 0;
}

const char *hba_missing_map(const struct hba *h, const struct hba_ident *m)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].map && !hba_ident_has(m, h->v[i].map))
			return h->v[i].map;
	return NULL;
}
