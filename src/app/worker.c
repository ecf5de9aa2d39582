/* Built on the control thread, so that what fails is told before anything is served; used and taken down on
 * its own thread, where secret sources and the mailbox have to be closed. Thread creation and join order the
 * two. */
#include "config.h" /* for pthread_setname_np */
#include "app/worker.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "app/none_source.h"
#include "app/password_source.h"
#include "aws/aws.h"
#include "base/mem.h"
#include "pg/startup.h"
#include "proxy/proxy.h"

struct worker {
	struct worker_deps deps;
	unsigned index;
	struct log *log;
	struct loop *loop;
	struct mailbox *mail;
	struct conf_worker *share;
	struct secret_source **secrets; /* conf->secret_count of them */
	struct proxy *proxy;
	struct listener **listeners; /* NULL: not accepting there */
	size_t listener_count;       /* of our own: control closes the sockets before we end */
	uint64_t exhausted;          /* of listeners that stopped */
	bool stopping;
	bool started;
	pthread_t thread;
};

/* ---- messages to the control loop ---- */

struct notice {
	struct mail mail;
	void (*notify)(void *receiver, unsigned worker, enum worker_event what);
	unsigned worker;
	enum worker_event what;
};

static void notice_deliver(struct mail *m, void *receiver)
{
	struct notice *n = container_of(m, struct notice, mail);

	n->notify(receiver, n->worker, n->what);
	free(n);
}

static void notice_drop(struct mail *m)
{
	free(container_of(m, struct notice, mail));
}

static void tell(struct worker *w, enum worker_event what)
{
	struct notice *n = mem_zalloc(sizeof *n);

	*n = (struct notice){
		.mail = {.deliver = notice_deliver, .drop = notice_drop},
		.notify = w->deps.notify,
		.worker = w->index,
		.what = what
        };
	mailbox_post(w->deps.control, &n->mail);
}

/* ---- cancels between workers: there and back, and back too if the other one has ended ---- */

struct errand {
	struct mail mail;
	struct mailbox *home; /* of the worker it came to; all mailboxes outlive all workers */
	uint64_t no;          /* 0: nobody waits there */
	uint32_t pid;
	size_t secret_bytes;
	unsigned char secret[STARTUP_CANCEL_KEY_MAX];
};

static void errand_drop(struct mail *m)
{
	free(container_of(m, struct errand, mail));
}

static void errand_deliver(struct mail *m, void *receiver)
{
	struct errand *e = container_of(m, struct errand, mail);
	struct worker *w = receiver;

	proxy_cancel_done(w->proxy, e->no);
	free(e);
}

static void errand_return(void *arg)
{
	struct errand *e = arg;

	e->mail = (struct mail){.deliver = errand_deliver, .drop = errand_drop};
	mailbox_post(e->home, &e->mail);
}

static void cancel_deliver(struct mail *m, void *receiver)
{
	struct errand *e = container_of(m, struct errand, mail);
	struct worker *w = receiver;

	proxy_cancel(w->proxy, e->pid, slice_of(e->secret, e->secret_bytes), errand_return, e);
}

static void cancel_drop(struct mail *m)
{
	errand_return(container_of(m, struct errand, mail));
}

static void on_route(void *arg, uint32_t worker, uint64_t no, uint32_t pid, struct slice secret)
{
	const struct worker *w = arg;
	struct errand *e = mem_zalloc(sizeof *e);

	assert(worker < w->deps.conf->workers && secret.n <= sizeof(e->secret));
	e->mail = (struct mail){.deliver = cancel_deliver, .drop = cancel_drop};
	e->home = w->mail;
	e->no = no;
	e->pid = pid;
	e->secret_bytes = secret.n;
	memcpy(e->secret, secret.p, secret.n);
	mailbox_post(w->deps.workers[worker], &e->mail);
}

/* ---- clients ---- */

struct arrival {
	struct mail mail;
	struct balance *balance;
	unsigned worker; /* for whom */
	int fd;
	struct addr peer, local;
};

static void arrival_deliver(struct mail *m, void *receiver)
{
	struct arrival *a = container_of(m, struct arrival, mail);
	struct worker *w = receiver;

	proxy_accept(w->proxy, a->fd, &a->peer, &a->local);
	free(a);
}

/* The worker has ended: so does the client's connection. */
static void arrival_drop(struct mail *m)
{
	struct arrival *a = container_of(m, struct arrival, mail);

	balance_give(a->balance, a->worker);
	close(a->fd);
	free(a);
}

static void on_accept(void *arg, int fd, const struct addr *peer, const struct addr *local)
{
	struct worker *w = arg;
	unsigned to = balance_take(w->deps.balance, w->index);

	if (to == w->index) {
		proxy_accept(w->proxy, fd, peer, local);
		return;
	}
	struct arrival *a = mem_zalloc(sizeof *a);

	*a = (struct arrival){
		.mail = {.deliver = arrival_deliver, .drop = arrival_drop},
		.balance = w->deps.balance,
		.worker = to,
		.fd = fd,
		.peer = *peer,
		.local = *local
        };
	mailbox_post(w->deps.workers[to], &a->mail);
}

static bool on_starved(void *arg)
{
	const struct worker *w = arg;

	return proxy_make_room(w->proxy);
}

static void on_client_gone(void *arg)
{
	const struct worker *w = arg;

	balance_give(w->deps.balance, w->index);
}

static void stop_accepting(struct worker *w)
{
	for (size_t i = 0; i < w->listener_count; i++) {
		if (w->listeners[i] == NULL)
			continue;
		w->exhausted += listener_exhausted(w->listeners[i]);
		listener_stop(w->listeners[i]);
		w->listeners[i] = NULL;
	}
}

struct stop_order {
	struct mail mail;
	uint64_t grace_us;
};

static void stop_drop(struct mail *m)
{
	free(container_of(m, struct stop_order, mail));
}

static void on_stopped(void *arg)
{
	struct worker *w = arg;

	loop_stop(w->loop);
}

static void stop_deliver(struct mail *m, void *receiver)
{
	struct stop_order *o = container_of(m, struct stop_order, mail);
	struct worker *w = receiver;

	if (!w->stopping) {
		w->stopping = true;
		stop_accepting(w);
		tell(w, WORKER_CLOSED);
	}
	proxy_stop(w->proxy, o->grace_us, on_stopped, w);
	free(o);
}

void worker_stop(struct worker *w, uint64_t grace_us)
{
	struct stop_order *o = mem_zalloc(sizeof *o);

	*o = (struct stop_order){.mail = {.deliver = stop_deliver, .drop = stop_drop}, .grace_us = grace_us};
	mailbox_post(w->mail, &o->mail);
}

/* ---- what the control thread asks ---- */

struct health_of {
	const struct conf *conf;
	struct collect_health **list;
};

static void add_health(void *arg, const struct target *t, const struct health *known)
{
	const struct health_of *h = arg;

	collect_health_add(h->list, t->name, t->secret_index, known);
}

void worker_fill(void *worker, unsigned want, struct collect_answer *out)
{
	struct worker *w = worker;

	if (want & COLLECT_STATS) {
		out->stats = stats_snapshot_new();
		proxy_collect(w->proxy, out->stats);
		out->stats->accept_exhausted += w->exhausted;
		for (size_t i = 0; i < w->listener_count; i++)
			if (w->listeners[i])
				out->stats->accept_exhausted += listener_exhausted(w->listeners[i]);
	}
	if (want & COLLECT_HEALTH)
		proxy_health(w->proxy, add_health,
			     &(struct health_of){.conf = w->deps.conf, .list = &out->health});
}

/* ---- life ---- */

#define LOGINS_MIN 1000 /* at the same time: so many strangers' connections cost next to nothing */

/* Room for all clients to log in at the same time, but no more than half of the descriptors for connections that have not
 * said who they are: the others are for those that have, and their servers. */
static uint32_t max_logins(const struct worker_deps *d, uint32_t max_client_conn)
{
	uint64_t most = (d->nofile ? d->nofile : UINT32_MAX) / 2 / d->conf->workers;
	uint64_t n = max_client_conn > LOGINS_MIN ? max_client_conn : LOGINS_MIN;

	return (uint32_t)(n < most ? n : most);
}

static struct secret_source *make_source(struct worker *w, const struct conf_secret *s)
{
	switch (s->kind) {
	case TARGET_AUTH_IAM:
		return aws_source_new(w->deps.aws,
				      &(struct aws_source_opts){.identity = s->identity,
								.token = s->token,
								.region = s->region},
				      w->loop, w->mail);
	case TARGET_AUTH_PASSWORD: return password_source_new(s, w->loop);
	case TARGET_AUTH_NONE: return none_source_new(w->loop);
	case TARGET_AUTH_SECRET:
		return aws_secret_source_new(w->deps.aws,
					     &(struct aws_secret_opts){.identity = s->identity,
								       .id = s->secret_id,
								       .region = s->region},
					     w->loop, w->mail);
	case TARGET_AUTH_REDSHIFT:
		return aws_redshift_source_new(w->deps.aws, s->identity, &s->redshift, w->loop, w->mail);
	}
	abort(); /* the loader knows no other */
}

/* On the worker's thread, or on the control thread if there never was one. Leaves the struct. */
static void take_down(struct worker *w)
{
	if (w->listeners)
		stop_accepting(w);
	proxy_free(w->proxy);
	for (size_t i = 0; w->secrets && i < w->deps.conf->secret_count; i++)
		if (w->secrets[i])
			w->secrets[i]->ops->free(w->secrets[i]);
	if (w->mail)
		mailbox_close(w->mail);
	loop_free(w->loop);
	w->proxy = NULL;
	w->loop = NULL;
	free(w->secrets);
	w->secrets = NULL;
}

struct worker *worker_new(const struct worker_deps *d, unsigned index, struct err *e)
{
	struct worker *w = mem_zalloc(sizeof *w);
	const struct conf *c = d->conf;

	w->deps = *d;
	w->index = index;
	w->log = log_new(clock_system(), c->log_level, c->log_format, d->sink, d->sink_arg);
	w->loop = loop_new(clock_system(), w->log, e);
	w->mail = w->loop ? mailbox_new(w->loop, w, e) : NULL;
	if (w->mail == NULL) {
		worker_free(w);
		return NULL;
	}
	w->share = conf_worker_new(d->conf, index);
	w->share->opts.max_logins = max_logins(d, w->share->opts.max_client_conn);
	w->secrets = mem_array(c->secret_count, sizeof(struct secret_source *));
	for (size_t i = 0; i < c->secret_count; i++)
		w->secrets[i] = make_source(w, &c->secrets[i]);
	w->listener_count = d->sockets->count;
	w->listeners = mem_array(w->listener_count, sizeof(struct listener *));
	w->proxy = proxy_new(
		&(struct proxy_deps){
			.loop = w->loop,
			.mail = w->mail,
			.resolver = d->resolver,
			.offload = d->offload,
			.secrets = w->secrets,
			.route = c->workers > 1 ? on_route : NULL,
			.client_gone = on_client_gone,
			.route_arg = w,
		},
		&w->share->opts);
	return w;
}

struct mailbox *worker_mail(struct worker *w)
{
	return w->mail;
}

const struct proxy_opts *worker_opts(const struct worker *w)
{
	return &w->share->opts;
}

struct secret_source *worker_source(const struct worker *w, size_t index)
{
	return w->secrets[index];
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	for (size_t i = 0; i < w->listener_count; i++)
		w->listeners[i] =
			listener_start(w->loop, w->deps.sockets->fd[i], on_accept, on_starved, w);
	loop_run(w->loop);
	take_down(w);
	tell(w, WORKER_ENDED);
	return NULL;
}

int worker_start(struct worker *w, struct err *e)
{
	char name[16];
	int error = pthread_create(&w->thread, NULL, worker_main, w);

	if (error)
		return err_set(e, ERR_IO, "cannot start a thread: error %d", error);
	w->started = true;
	snprintf(name, sizeof name, "pgiam-w%u", w->index);
	(void)pthread_setname_np(w->thread, name);
	return 0;
}

void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	if (w->started)
		pthread_join(w->thread, NULL);
	else
		take_down(w);
	if (w->mail)
		mailbox_unref(w->mail);
	if (w->share)
		conf_worker_free(w->share);
	free(w->listeners);
	log_free(w->log);
	free(w);
}
