/* A worker: a thread with its loop, log, mailbox, secret sources, listeners and proxy. It shares no data with
 * other workers; messages come through its mailbox.
 *
 * All functions here are called on the control thread, unless they say otherwise. */
#ifndef PGIAM_APP_WORKER_H
#define PGIAM_APP_WORKER_H

#include "admin/collect.h"
#include "app/balance.h"
#include "app/conf.h"
#include "app/sockets.h"
#include "io/offload.h"

struct aws;
struct worker;

enum worker_event {
	WORKER_CLOSED, /* it accepts no more clients */
	WORKER_ENDED,  /* its last connection is gone; worker_free will not wait */
};

/* Everything is borrowed for the worker's life. */
struct worker_deps {
	struct conf *conf;
	log_sink sink; /* thread-safe */
	void *sink_arg;
	struct aws *aws; /* may be NULL if no secret needs it */
	struct resolver *resolver;
	struct offload *offload;
	const struct sockets *sockets;
	struct balance *balance;
	uint64_t nofile;                /* descriptors there may be; 0: not known */
	struct mailbox *control;        /* where notify runs */
	struct mailbox *const *workers; /* by index, conf->workers of them; complete before worker_start */
	/* On the control loop, with its mailbox's receiver. */
	void (*notify)(void *receiver, unsigned worker, enum worker_event what);
};

/* Builds everything, without a thread yet. NULL with e set. */
struct worker *worker_new(const struct worker_deps *d, unsigned index, struct err *e);
struct mailbox *worker_mail(struct worker *w);
const struct proxy_opts *worker_opts(const struct worker *w);
/* Of conf->secrets[index]: to be asked before worker_start only. */
struct secret_source *worker_source(const struct worker *w, size_t index);

int worker_start(struct worker *w, struct err *e);

/* Stops accepting, tells the clients (proxy_stop); a second call shortens the grace. */
void worker_stop(struct worker *w, uint64_t grace_us);

/* Waits for the thread's end, if it was started, and frees. NULL is fine. */
void worker_free(struct worker *w);

/* A collect_fill: on the worker's thread. */
void worker_fill(void *worker, unsigned want, struct collect_answer *out);

#endif
