/* Whether a cancel has struck is seen in one way only: the server closes the connection it came on. Until then, or as long as
 * cancel_wait_timeout, the server it is aimed at is held back, since it would strike whatever runs there next. One that was never
 * sent holds nobody back. */
#include "proxy/cancel.h"

#include <stdlib.h>
#include "base/mem.h"

enum cancel_state { CANCEL_NEW, CANCEL_REACH, CANCEL_WAIT, CANCEL_AWAY, CANCEL_DONE };

static const struct state_row rows[] = {
	[CANCEL_NEW] = {"new", STATE_BIT(CANCEL_REACH) | STATE_BIT(CANCEL_AWAY), DEADLINE_OWN},
	[CANCEL_REACH] = {"reach", STATE_BIT(CANCEL_WAIT) | STATE_BIT(CANCEL_DONE), DEADLINE_OWN},
	[CANCEL_WAIT] = {"wait", STATE_BIT(CANCEL_DONE), DEADLINE_OWN},
	[CANCEL_AWAY] = {"away", STATE_BIT(CANCEL_DONE), DEADLINE_OWN},
	[CANCEL_DONE] = {"done", 0, DEADLINE_FINAL},
};

/* An application that cancels in a storm must not hurt others (pitfall 51). */
#define CANCELS_PER_SERVER 4

struct cancel {
	struct list node;
	struct cancels *all;
	struct server *server; /* kept alive by server_cancel_begin; NULL if away */
	uint64_t no;           /* if away */
	enum cancel_state state;
	struct upstream *upstream; /* non-NULL exactly in CANCEL_REACH */
	struct stream *stream;
	struct timer deadline;
	void (*done)(void *arg); /* NULL once detached */
	void *arg;
};

void cancel_all_init(struct cancels *c, const struct server_env *env, uint32_t max, void (*empty)(void *arg), void *arg)
{
	*c = (struct cancels){.env = env, .max = max, .empty = empty, .arg = arg};
	list_init(&c->running);
	list_init(&c->away);
}

const struct state_row *cancel_state_rows(size_t *count)
{
	*count = sizeof(rows) / sizeof(*rows);
	return rows;
}

static void set_state(struct cancel *c, enum cancel_state s)
{
	state_check(rows, c->state, s);
	c->state = s;
}

static struct cancel *new_cancel(struct cancels *all, void (*done)(void *arg), void *arg,
				 void (*deadline)(void *arg))
{
	struct cancel *c = mem_zalloc(sizeof(*c));

	c->all = all;
	c->done = done;
	c->arg = arg;
	timer_init(&c->deadline, all->env->login.up.loop, deadline, c);
	if (all->env->fence_timeout_us > 0)
		timer_set(&c->deadline, all->env->fence_timeout_us);
	return c;
}

static void take_out(struct cancel *c)
{
	set_state(c, CANCEL_DONE);
	timer_clear(&c->deadline);
	list_del(&c->node);
}

static void tell(struct cancel *c)
{
	if (c->done)
		c->done(c->arg);
	loop_free_later(c->all->env->login.up.loop, free, c);
}

/* settled: it has struck, as the server has closed, or it was not sent (all of its few bytes, or none). */
static void finish(struct cancel *c, bool settled)
{
	struct cancels *all = c->all;

	take_out(c);
	if (c->upstream)
		upstream_cancel(c->upstream);
	stream_close(c->stream);
	all->count--;
	server_cancel_end(c->server, settled);
	tell(c);
	if (all->count == 0)
		all->empty(all->arg);
}

void cancel_all_stop(struct cancels *c)
{
	struct list *n;

	while ((n = list_first(&c->running)))
		finish(container_of(n, struct cancel, node), false);
}

static void on_deadline(void *arg)
{
	struct cancel *c = arg;

	finish(c, c->state == CANCEL_REACH);
}

/* A connection that takes not even these few bytes at once, its first, is none; but some of them may be out. */
static void send_request(struct cancel *c)
{
	const struct login_result *session = c->server->session;
	struct buf b;
	bool sent;

	buf_init_secret(&b, 16 + STARTUP_CANCEL_KEY_MAX);
	startup_write_cancel(&b, session->pid, slice_of(session->key, session->key_bytes));
	sent = stream_write(c->stream, b.p, b.n) == (ssize_t)b.n;
	buf_free(&b);
	if (!sent) {
		finish(c, false);
		return;
	}
	c->server->rq.db->stats.cancels_sent++;
	set_state(c, CANCEL_WAIT);
	stream_want_read(c->stream, true);
}

static void await_close(struct cancel *c)
{
	unsigned char ignored[256];
	ssize_t n = stream_read(c->stream, ignored, sizeof(ignored));

	if (n != STREAM_AGAIN && n <= 0)
		finish(c, n == 0); /* a reset may come from somebody between */
}

static void on_ready(void *arg, unsigned what)
{
	(void)what;
	await_close(arg);
}

static void on_upstream(void *arg, const struct upstream_result *r, const struct err *e)
{
	struct cancel *c = arg;

	c->upstream = NULL;
	if (e) {
		log_info(loop_log(c->all->env->login.up.loop), "cancel request not delivered",
		         LS("database", c->server->rq.db->target->name), LERR(e));
		finish(c, true);
		return;
	}
	c->stream = r->stream;
	stream_set_owner(c->stream, on_ready, c);
	send_request(c);
}

struct cancel *cancel_start(struct cancels *all, struct server *s, void (*done)(void *arg), void *arg)
{
	const struct target *t = s->rq.db->target;
	struct cancel *c;

	if (all->count >= all->max || s->cancels >= CANCELS_PER_SERVER)
		return NULL;
	c = new_cancel(all, done, arg, on_deadline);
	c->server = s;
	set_state(c, CANCEL_REACH);
	list_add_tail(&all->running, &c->node);
	all->count++;
	server_cancel_begin(s);
	c->upstream = upstream_start(&all->env->login.up, t, database_tls(s->rq.db), on_upstream, c);
	return c;
}

/* ---- of another worker ---- */

static void end_away(void *arg)
{
	struct cancel *c = arg;

	take_out(c);
	c->all->away_count--;
	tell(c);
}

struct cancel *cancel_away(struct cancels *all, uint64_t *no, void (*done)(void *arg), void *arg)
{
	struct cancel *c;

	*no = 0;
	if (all->away_count >= all->max)
		return NULL;
	c = new_cancel(all, done, arg, end_away);
	c->no = *no = ++all->away_no;
	set_state(c, CANCEL_AWAY);
	list_add_tail(&all->away, &c->node);
	all->away_count++;
	return c;
}

void cancel_away_done(struct cancels *all, uint64_t no)
{
	list_each (n, tmp, &all->away) {
		struct cancel *c = container_of(n, struct cancel, node);
		if (c->no == no) {
			end_away(c);
			return;
		}
	}
}

void cancel_detach(struct cancel *c)
{
	c->done = NULL;
	if (c->state == CANCEL_AWAY)
		end_away(c);
}
