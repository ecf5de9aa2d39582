/* A locked list and an eventfd. The eventfd is written only when the list was empty, read before the list is
 * taken: so a burst costs one wake-up and no letter is left lying. */
#include "io/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <event2/event.h>
#include "base/mem.h"

struct mailbox {
	atomic_uint refs;
	int fd; /* eventfd; open until the last reference goes, as senders write to it unlocked */
	void *receiver;
	struct event *ev;   /* the loop thread's, like taken */
	struct mail *taken; /* being delivered */
	pthread_mutex_t lock;
	struct mail *head, **tail; /* under lock, like closed */
	bool closed;
};

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
	struct mailbox *mb = mailbox_ref(arg); /* a receiver may close and forget it */
	struct mail *m;
	eventfd_t n;

	(void)what;
	eventfd_read(fd, &n);
	pthread_mutex_lock(&mb->lock);
	mb->taken = mb->head;
	mb->head = NULL;
	mb->tail = &mb->head;
	pthread_mutex_unlock(&mb->lock);
	while ((m = mb->taken)) {
		mb->taken = m->next;
		m->deliver(m, mb->receiver);
	}
	mailbox_unref(mb);
}

struct mailbox *mailbox_new(struct loop *l, void *receiver, struct err *e)
{
	struct mailbox *mb;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0) {
		err_set(e, ERR_IO, "cannot make an eventfd: %m");
		return NULL;
	}
	mb = mem_zalloc(sizeof(*mb));
	atomic_init(&mb->refs, 1);
	mb->fd = fd;
	mb->receiver = receiver;
	mb->tail = &mb->head;
	pthread_mutex_init(&mb->lock, NULL);
	mb->ev = event_new(loop_base(l), fd, EV_READ | EV_PERSIST, on_mail, mb);
	if (!mb->ev || event_add(mb->ev, NULL) != 0) {
		mailbox_close(mb);
		mailbox_unref(mb);
		err_set(e, ERR_IO, "cannot watch an eventfd");
		return NULL;
	}
	return mb;
}

bool mailbox_post(struct mailbox *mb, struct mail *m)
{
	bool closed, wake = false;

	m->next = NULL;
	pthread_mutex_lock(&mb->lock);
	closed = mb->closed;
	if (!closed) {
		wake = mb->head == NULL;
		*mb->tail = m;
		mb->tail = &m->next;
	}
	pthread_mutex_unlock(&mb->lock);
	if (closed)
		m->drop(m);
	if (wake)
		eventfd_write(mb->fd, 1);
	return !closed;
}

static void drop_all(struct mail *m)
{
	while (m) {
		struct mail *next = m->next;

		m->drop(m);
		m = next;
	}
}

void mailbox_close(struct mailbox *mb)
{
	struct mail *taken = mb->taken, *waiting;

	if (mb->ev)
		event_free(mb->ev);
	mb->ev = NULL;
	mb->taken = NULL;
	pthread_mutex_lock(&mb->lock);
	mb->closed = true;
	waiting = mb->head;
	mb->head = NULL;
	mb->tail = &mb->head;
	pthread_mutex_unlock(&mb->lock);
	drop_all(taken);
	drop_all(waiting);
}

struct mailbox *mailbox_ref(struct mailbox *mb)
{
	atomic_fetch_add_explicit(&mb->refs, 1, memory_order_relaxed);
	return mb;
}

void mailbox_unref(struct mailbox *mb)
{
	if (!mb || atomic_fetch_sub_explicit(&mb->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_destroy(&mb->lock);
	close(mb->fd);
	free(mb);
}
