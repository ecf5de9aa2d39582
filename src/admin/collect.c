/* One letter a worker: it carries the question out and the answer home. The worker's thread sees only the
 * letter; rounds are found again by number, because a late letter may outlive its round. */
#include "admin/collect.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

struct letter {
	struct mail mail;
	struct collect *collector; /* for the control thread only */
	struct mailbox *home;      /* a reference */
	collect_fill fill;
	uint64_t round;
	unsigned worker, want;
	struct collect_answer answer;
};

struct collect_op {
	struct list node;
	uint64_t round;
	unsigned want;
	bool *answered;
	unsigned missing;
	struct collect_answer sum;
	struct timer deadline;
	struct defer all_in;
	struct collect *collector;
	collect_cb cb;
	void *arg;
};

struct collect {
	struct loop *loop;
	struct mailbox *home;
	struct mailbox **workers;
	unsigned count;
	collect_fill fill;
	uint64_t round;
	struct list ops;
};

static void health_free(struct collect_health *h)
{
	while (h) {
		struct collect_health *next = h->next;

		free(h->database);
		free(h);
		h = next;
	}
}

void collect_health_add(struct collect_health **list, const char *database, size_t source,
			const struct health *known)
{
	struct collect_health *h;

	while ((h = *list) && strcmp(h->database, database) != 0)
		list = &h->next;
	if (h == NULL) {
		h = *list = mem_zalloc(sizeof *h);
		h->database = mem_strdup(database);
		h->source = source;
	}
	health_merge(&h->known, known);
}

static void answer_clear(struct collect_answer *a)
{
	stats_snapshot_free(a->stats);
	health_free(a->health);
	*a = (struct collect_answer){0};
}

static void letter_drop(struct mail *m)
{
	struct letter *l = container_of(m, struct letter, mail);

	answer_clear(&l->answer);
	mailbox_unref(l->home);
	free(l);
}

static void op_free(struct collect_op *op)
{
	timer_clear(&op->deadline);
	defer_clear(&op->all_in);
	list_del(&op->node);
	answer_clear(&op->sum);
	free(op->answered);
	free(op);
}

static void op_finish(void *arg)
{
	struct collect_op *op = arg;
	struct collect_result r = {
		.workers = op->collector->count,
		.answered = op->answered,
		.missing = op->missing,
		.stats = op->sum.stats,
		.health = op->sum.health,
	};

	for (struct collect_health *h = op->sum.health; h; h = h->next)
		h->why = health_why(&h->known, loop_now_us(op->collector->loop));
	/* Off the list first: the callback may start the next one, or free much. */
	timer_clear(&op->deadline);
	defer_clear(&op->all_in);
	list_del(&op->node);
	op->cb(op->arg, &r);
	op_free(op);
}

static void letter_home(struct mail *m, void *receiver)
{
	struct letter *l = container_of(m, struct letter, mail);

	(void)receiver;
	list_each(it, tmp, &l->collector->ops)
	{
		struct collect_op *op = container_of(it, struct collect_op, node);

		if (op->round != l->round || op->answered[l->worker])
			continue;
		op->answered[l->worker] = true;
		op->missing--;
		if (l->answer.stats)
			stats_snapshot_merge(op->sum.stats, l->answer.stats);
		for (const struct collect_health *h = l->answer.health; h; h = h->next)
			collect_health_add(&op->sum.health, h->database, h->source, &h->known);
		if (op->missing == 0)
			defer_set(&op->all_in);
		break;
	}
	letter_drop(m);
}

/* On the worker's thread. */
static void letter_out(struct mail *m, void *receiver)
{
	struct letter *l = container_of(m, struct letter, mail);

	l->fill(receiver, l->want, &l->answer);
	l->mail.deliver = letter_home;
	mailbox_post(l->home, &l->mail);
}

struct collect *collect_new(struct loop *l, struct mailbox *home, struct mailbox *const *workers,
			    unsigned count, collect_fill fill)
{
	struct collect *c = mem_zalloc(sizeof *c);

	c->loop = l;
	c->home = mailbox_ref(home);
	c->count = count;
	c->workers = mem_array(count, sizeof(struct mailbox *));
	for (unsigned i = 0; i < count; i++)
		c->workers[i] = mailbox_ref(workers[i]);
	c->fill = fill;
	list_init(&c->ops);
	return c;
}

void collect_free(struct collect *c)
{
	if (c == NULL)
		return;
	for (unsigned i = 0; i < c->count; i++)
		mailbox_unref(c->workers[i]);
	mailbox_unref(c->home);
	free(c->workers);
	free(c);
}

struct collect_op *collect_start(struct collect *c, unsigned want, uint64_t timeout_us, collect_cb cb,
				 void *arg)
{
	struct collect_op *op = mem_zalloc(sizeof *op);

	op->collector = c;
	op->round = ++c->round;
	op->want = want;
	op->answered = mem_array(c->count, sizeof(bool));
	op->missing = c->count;
	op->cb = cb;
	op->arg = arg;
	if (want & COLLECT_STATS)
		op->sum.stats = stats_snapshot_new();
	timer_init(&op->deadline, c->loop, op_finish, op);
	defer_init(&op->all_in, c->loop, op_finish, op);
	list_add_tail(&c->ops, &op->node);
	timer_set(&op->deadline, timeout_us);
	for (unsigned i = 0; i < c->count; i++) {
		struct letter *l = mem_zalloc(sizeof *l);

		l->mail = (struct mail){.deliver = letter_out, .drop = letter_drop};
		l->collector = c;
		l->home = mailbox_ref(c->home);
		l->fill = c->fill;
		l->round = op->round;
		l->worker = i;
		l->want = want;
		/* Closed: this worker has ended because it was told to. */
		if (!mailbox_post(c->workers[i], &l->mail)) {
			op->answered[i] = true;
			op->missing--;
		}
	}
	if (op->missing == 0)
		defer_set(&op->all_in);
	return op;
}

void collect_cancel(struct collect_op *op)
{
	op_free(op);
}
