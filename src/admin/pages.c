/* Every page but the index has to ask the workers first: a visit holds the request meanwhile, and a table
 * says what is asked, for how long, and who writes the answer. */
#include "admin/pages.h"

#include <stdlib.h>
#include <string.h>
#include "admin/json.h"
#include "admin/metrics.h"
#include "base/mem.h"

#define PAGE_MAX_BYTES   (64u << 20) /* about 4,000 databases */
#define PING_TIMEOUT_US  2000000
#define STATS_TIMEOUT_US 1000000

struct pages {
	struct pages_deps deps;
	struct list visits;
	bool started; /* /startup has been 200 */
};

struct visit {
	struct list node;
	struct pages *pages;
	const struct page *page;
	struct http_request *rq;
	struct collect_op *op;
};

static void json_end(struct json *j)
{
	json_close(j, '}');
	buf_add_char(j->out, '\n');
}

/* Writes the body, returns the status. */
typedef int (*page_write)(struct visit *v, const struct collect_result *r, struct buf *out);

static int write_metrics(struct visit *v, const struct collect_result *r, struct buf *out)
{
	struct admin_info info = {0};

	v->pages->deps.info(v->pages->deps.info_arg, true, &info);
	metrics_render(&info, r, out);
	return 200;
}

static int write_liveness(struct visit *v, const struct collect_result *r, struct buf *out)
{
	struct json j;

	(void)v;
	json_init(&j, out);
	json_open(&j, '{');
	json_key(&j, "status");
	json_str(&j, r->missing ? "unresponsive" : "ok");
	json_key(&j, "workers");
	json_uint(&j, r->workers);
	json_key(&j, "unresponsive");
	json_open(&j, '[');
	for (unsigned i = 0; i < r->workers; i++)
		if (!r->answered[i])
			json_uint(&j, i);
	json_close(&j, ']');
	json_end(&j);
	return r->missing ? 503 : 200;
}

static uint64_t logins_ok(const struct stats_snapshot *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->db_count; i++)
		n += s->db[i].server_logins;
	return n;
}

/* Members of an object. */
static void write_why(struct json *j, const struct err *why, bool local)
{
	json_key(j, "cause");
	json_str(j, err_info(why->code)->label);
	json_key(j, "sqlstate");
	json_str(j, why->sqlstate);
	if (!local)
		return;
	json_key(j, "error");
	json_str(j, why->msg);
	json_key(j, "detail");
	json_str(j, why->detail[0] ? why->detail : NULL);
	json_key(j, "hint");
	json_str(j, err_hint_text(why)[0] ? err_hint_text(why) : NULL);
}

/* Why nothing can be done yet, or NULL: of several identities one is enough to begin with, or whoever restarts what does
 * not start would take the others away with it. */
static const struct err *lacks_all_credentials(const struct admin_info *info)
{
	for (size_t i = 0; i < info->credentials_count; i++)
		if (info->credentials[i].valid)
			return NULL;
	return info->credentials_count > 0 ? &info->credentials[0].why : NULL;
}

static int write_startup(struct visit *v, const struct collect_result *r, struct buf *out)
{
	struct admin_info info = {0};
	struct json j;

	v->pages->deps.info(v->pages->deps.info_arg, false, &info);
	const struct err *why = lacks_all_credentials(&info);

	if (!why || logins_ok(r->stats) > 0)
		v->pages->started = true;
	json_init(&j, out);
	json_open(&j, '{');
	json_key(&j, "status");
	json_str(&j, v->pages->started ? "started" : "starting");
	json_key(&j, "reason");
	json_str(&j, v->pages->started ? NULL : "no AWS credentials yet");
	if (!v->pages->started)
		write_why(&j, why, http_server_is_local(v->rq));
	json_end(&j);
	return v->pages->started ? 200 : 503;
}

/* A member of an object. Such names hold accounts and roles: for this host only. */
static void write_private(struct json *j, const char *key, const char *name, bool local)
{
	if (!local)
		return;
	json_key(j, key);
	json_str(j, name);
}

/* Said once for all databases that need them. */
static void write_credentials(struct json *j, const struct admin_info *info, bool local)
{
	json_key(j, "credentials");
	json_open(j, '[');
	for (size_t i = 0; i < info->credentials_count; i++) {
		const struct admin_credentials *c = &info->credentials[i];

		json_open(j, '{');
		write_private(j, "identity", c->identity, local);
		json_key(j, "ok");
		json_bool(j, c->valid);
		if (!c->valid)
			write_why(j, &c->why, local);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void write_secrets(struct json *j, const struct admin_info *info, bool local)
{
	json_key(j, "secrets");
	json_open(j, '[');
	for (size_t i = 0; i < info->secret_count; i++) {
		const struct admin_secret *s = &info->secrets[i];

		json_open(j, '{');
		write_private(j, "identity", s->identity, local);
		write_private(j, "secret", s->name, local);
		json_key(j, "ok");
		json_bool(j, !s->lacking);
		if (s->lacking)
			write_why(j, &s->why, local);
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* Why logins fail for want of what they log in with, or NULL. */
static const struct err *lacks(const struct admin_source *s)
{
	if (s->credentials)
		return s->credentials->valid ? NULL : &s->credentials->why;
	return s->secret && s->secret->lacking ? &s->secret->why : NULL;
}

/* What is known of credentials and secrets now wins over a login that failed for lack of them. True if it is well. */
static bool write_database(struct json *j, const struct collect_health *h, const struct admin_info *info,
			   bool local)
{
	const struct admin_source *s = &info->sources[h->source];
	const struct err *lack = lacks(s);
	bool stale = (s->credentials || s->secret) && h->why &&
		     (h->why->code == ERR_CREDENTIALS || h->why->code == ERR_CREDENTIALS_AWAY);
	bool ok = !lack && (stale || h->why == NULL);

	json_open(j, '{');
	json_key(j, "database");
	json_str(j, h->database);
	json_key(j, "ok");
	json_bool(j, ok);
	if (lack) {
		json_key(j, "cause");
		json_str(j, err_info(lack->code)->label);
		write_private(j, "identity", s->credentials ? s->credentials->identity : s->secret->identity, local);
		if (s->secret)
			write_private(j, "secret", s->secret->name, local);
	} else if (!ok) {
		write_why(j, h->why, local);
	}
	json_close(j, '}');
	return ok;
}

/* True if all that were asked for are well. */
static bool write_databases(struct json *j, struct visit *v, const struct collect_health *list,
			    const struct admin_info *info)
{
	bool local = http_server_is_local(v->rq);
	unsigned broken = 0, shown = 0;
	struct buf only;

	buf_init(&only, 256);
	bool one = http_server_query(v->rq, "database", &only);

	json_key(j, "databases");
	json_open(j, '[');
	for (const struct collect_health *h = list; h; h = h->next) {
		if (one && strcmp(buf_cstr(&only), h->database) != 0)
			continue;
		broken += !write_database(j, h, info, local);
		shown++;
	}
	json_close(j, ']');
	buf_free(&only);
	return broken == 0 && (shown > 0 || !one); /* one that nobody knows is not well */
}

static int write_readiness(struct visit *v, const struct collect_result *r, struct buf *out)
{
	struct admin_info info = {0};
	struct json j;

	v->pages->deps.info(v->pages->deps.info_arg, false, &info);
	json_init(&j, out);
	json_open(&j, '{');
	json_key(&j, "draining");
	json_bool(&j, info.draining);
	json_key(&j, "workers_unresponsive");
	json_uint(&j, r->missing);
	write_credentials(&j, &info, http_server_is_local(v->rq));
	write_secrets(&j, &info, http_server_is_local(v->rq));
	bool ready = write_databases(&j, v, r->health, &info) && r->missing == 0 && !info.draining;

	json_key(&j, "status");
	json_str(&j, ready ? "ready" : info.draining ? "draining" : "not ready");
	json_end(&j);
	return ready ? 200 : 503;
}

static const struct page {
	const char *type;
	unsigned want;
	uint64_t timeout_us;
	page_write write;
} page_metrics = {METRICS_TYPE, COLLECT_STATS, STATS_TIMEOUT_US, write_metrics},
  page_liveness = {HTTP_TYPE_JSON, 0, PING_TIMEOUT_US, write_liveness},
  page_startup = {HTTP_TYPE_JSON, COLLECT_STATS, STATS_TIMEOUT_US, write_startup},
  page_readiness = {HTTP_TYPE_JSON, COLLECT_HEALTH, PING_TIMEOUT_US, write_readiness};

static void visit_end(struct visit *v, int status, const char *type, struct slice body)
{
	http_server_reply(v->rq, status, type, body);
	list_del(&v->node);
	free(v);
}

static void on_collected(void *arg, const struct collect_result *r)
{
	struct visit *v = arg;
	struct buf body;

	v->op = NULL;
	buf_init(&body, PAGE_MAX_BYTES);
	int status = v->page->write(v, r, &body);

	if (body.full)
		visit_end(v, 500, HTTP_TYPE_TEXT, slice_str("the page is too large\n"));
	else
		visit_end(v, status, v->page->type, buf_slice(&body));
	buf_free(&body);
}

static void visit_start(struct pages *p, const struct page *page, struct http_request *rq)
{
	struct visit *v = mem_zalloc(sizeof *v);

	v->pages = p;
	v->page = page;
	v->rq = rq;
	list_add_tail(&p->visits, &v->node);
	v->op = collect_start(p->deps.collector, page->want, page->timeout_us, on_collected, v);
}

static void on_metrics(void *arg, struct http_request *rq)
{
	visit_start(arg, &page_metrics, rq);
}

static void on_liveness(void *arg, struct http_request *rq)
{
	visit_start(arg, &page_liveness, rq);
}

static void on_startup(void *arg, struct http_request *rq)
{
	visit_start(arg, &page_startup, rq);
}

static void on_readiness(void *arg, struct http_request *rq)
{
	visit_start(arg, &page_readiness, rq);
}

static void on_index(void *arg, struct http_request *rq)
{
	(void)arg;
	http_server_reply(
		rq, 200, HTTP_TYPE_TEXT,
		slice_str("pgiam\n\n/metrics\n/liveness\n/startup\n/readiness\n/readiness?database=NAME\n"));
}

const struct http_route *pages_routes(size_t *count)
{
	static const struct http_route routes[] = {
		{"/",          on_index    },
                {"/metrics",   on_metrics  },
                {"/liveness",  on_liveness },
		{"/startup",   on_startup  },
                {"/readiness", on_readiness},
	};

	*count = sizeof routes / sizeof routes[0];
	return routes;
}

struct pages *pages_new(const struct pages_deps *d)
{
	struct pages *p = mem_zalloc(sizeof *p);

	p->deps = *d;
	list_init(&p->visits);
	return p;
}

void pages_free(struct pages *p)
{
	if (p == NULL)
		return;
	list_each(it, tmp, &p->visits)
	{
		struct visit *v = container_of(it, struct visit, node);

		collect_cancel(v->op);
		visit_end(v, 503, HTTP_TYPE_TEXT, slice_str("shutting down\n"));
	}
	free(p);
}
