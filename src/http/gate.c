/* evhttp accepts by itself, tells nobody, and never says that a connection ended. So:
 *
 * - Each listening descriptor has an event of ours (the door) beside evhttp's listener, which stays disabled.
 * When the descriptor is readable and there is room, the door enables evhttp's listener for one accept. Out
 * of descriptors, the door closes for a moment: evhttp's own listener would spin.
 * - evhttp asks us for each connection's bufferevent. That is where a connection is noted. At the end of the
 * turn it has its socket, and is from then on known by descriptor and inode, which stay comparable after
 * evhttp has closed it: no pointer of evhttp's is kept.
 * - A connection is ended by shutdown(2): evhttp then sees an end of file and cleans up in its own way. */
#include "config.h" /* for statx */
#include "http/gate.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"

#define GATE_PAUSE_US 100000 /* out of descriptors */
#define GATE_MAKE_US  20000  /* room is being made */

struct door {
	struct list node;
	struct gate *gate;
	int fd;
	struct event *ev;             /* owned */
	struct evconnlistener *inner; /* evhttp's */
};

struct visit {
	struct list node; /* of gate.visits, oldest first */
	struct gate *gate;
	struct bufferevent *bev; /* a reference, until `settle` */
	struct defer settle;
	struct timer deadline;
	int fd;
	ino_t inode;
};

struct gate {
	struct loop *loop;
	struct evhttp *http;
	struct gate_opts opts;
	struct list doors;
	struct list visits;
	unsigned count; /* of visits */
	struct timer pause;
};

static void visit_free(struct visit *v)
{
	defer_clear(&v->settle);
	timer_clear(&v->deadline);
	if (v->bev)
		bufferevent_decref(v->bev);
	list_del(&v->node);
	v->gate->count--;
	free(v);
}

/* Is its descriptor still its socket? evhttp may have closed it, and another thread been given its number: the inode tells.
 * ThreadSanitizer (clang 14) takes an fstat of such a descriptor for a race, and breaks when it wants to say so. */
static bool visit_lives(const struct visit *v)
{
	struct statx st;

	return v->bev || (statx(v->fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO, &st) == 0 && S_ISSOCK(st.stx_mode) &&
			  st.stx_ino == v->inode);
}

static void visit_expired(void *arg)
{
	struct visit *v = arg;

	if (visit_lives(v))
		(void)shutdown(v->fd, SHUT_RDWR);
	visit_free(v);
}

static void visit_settle(void *arg)
{
	struct visit *v = arg;
	struct stat st;

	v->fd = bufferevent_getfd(v->bev);
	if (v->fd < 0 || fstat(v->fd, &st) < 0) {
		visit_free(v);
		return;
	}
	v->inode = st.st_ino;
	bufferevent_decref(v->bev);
	v->bev = NULL;
	timer_set(&v->deadline, v->gate->opts.lifetime_us);
}

static void doors_shut(struct gate *g)
{
	list_each(it, tmp, &g->doors)
	{
		event_del(container_of(it, struct door, node)->ev);
	}
}

static void doors_open(void *arg)
{
	struct gate *g = arg;

	list_each(it, tmp, &g->doors)
	{
		event_add(container_of(it, struct door, node)->ev, NULL);
	}
}

/* evhttp has accepted a connection and wants its bufferevent. */
static struct bufferevent *gate_bufferevent(struct event_base *base, void *arg)
{
	struct gate *g = arg;
	struct visit *v = mem_zalloc(sizeof *v);

	list_each(it, tmp, &g->doors)
	{
		evconnlistener_disable(container_of(it, struct door, node)->inner);
	}
	v->gate = g;
	v->fd = -1;
	v->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (v->bev == NULL) {
		free(v);
		return NULL;
	}
	bufferevent_incref(v->bev);
	defer_init(&v->settle, g->loop, visit_settle, v);
	timer_init(&v->deadline, g->loop, visit_expired, v);
	list_add_tail(&g->visits, &v->node);
	g->count++;
	defer_set(&v->settle);
	return v->bev;
}

/* Forgets connections that ended; if there is still no room, ends the oldest. */
static bool gate_has_room(struct gate *g)
{
	if (g->count < g->opts.max_connections)
		return true;
	list_each(it, tmp, &g->visits)
	{
		struct visit *v = container_of(it, struct visit, node);

		if (!visit_lives(v))
			visit_free(v);
	}
	if (g->count < g->opts.max_connections)
		return true;
	struct visit *oldest = container_of(list_first(&g->visits), struct visit, node);

	if (!oldest->bev)
		(void)shutdown(oldest->fd, SHUT_RDWR);
	return false;
}

static bool descriptors_left(int fd)
{
	int probe = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (probe < 0)
		return false;
	close(probe);
	return true;
}

static void door_knock(evutil_socket_t fd, short what, void *arg)
{
	struct door *d = arg;
	struct gate *g = d->gate;
	uint64_t pause = 0;

	(void)what;
	if (!gate_has_room(g))
		pause = GATE_MAKE_US;
	else if (!descriptors_left(fd))
		pause = GATE_PAUSE_US;
	if (pause == 0) {
		evconnlistener_enable(d->inner);
		return;
	}
	doors_shut(g);
	timer_set(&g->pause, pause);
}

/* Taken by somebody else between the knock and here, or out of descriptors: the door looks again. */
static void inner_error(struct evconnlistener *inner, void *arg)
{
	(void)arg; /* evhttp's, not ours */
	evconnlistener_disable(inner);
}

struct gate *gate_new(struct loop *l, struct evhttp *http, const struct gate_opts *o)
{
	struct gate *g = mem_zalloc(sizeof *g);

	g->loop = l;
	g->http = http;
	g->opts = *o;
	list_init(&g->doors);
	list_init(&g->visits);
	timer_init(&g->pause, l, doors_open, g);
	evhttp_set_bevcb(http, gate_bufferevent, g);
	return g;
}

int gate_listen(struct gate *g, int fd, struct err *e)
{
	struct door *d = mem_zalloc(sizeof *d);

	d->gate = g;
	d->fd = fd;
	list_init(&d->node);
	d->inner = evconnlistener_new(loop_base(g->loop), NULL, NULL,
				      LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, fd);
	d->ev = event_new(loop_base(g->loop), fd, EV_READ | EV_PERSIST, door_knock, d);
	if (d->inner == NULL || d->ev == NULL || event_add(d->ev, NULL) < 0)
		goto fail;
	evconnlistener_set_error_cb(d->inner, inner_error);
	if (evhttp_bind_listener(g->http, d->inner) == NULL)
		goto fail;
	list_add_tail(&g->doors, &d->node);
	return 0;
fail:
	if (d->inner)
		evconnlistener_free(d->inner);
	if (d->ev)
		event_free(d->ev);
	free(d);
	return err_set(e, ERR_INTERNAL, "libevent refuses the listening socket");
}

void gate_close(struct gate *g)
{
	timer_clear(&g->pause);
	list_each(it, tmp, &g->doors)
	{
		struct door *d = container_of(it, struct door, node);

		event_free(d->ev);
		list_del(&d->node);
		free(d);
	}
}

void gate_free(struct gate *g)
{
	if (g == NULL)
		return;
	gate_close(g);
	list_each(it, tmp, &g->visits)
	{
		visit_free(container_of(it, struct visit, node));
	}
	free(g);
}
