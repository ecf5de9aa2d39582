/* One queue for both protocols: only with Parse..Close in it can an error be told to belong to the extended
 * batch (skip to Sync) or to the simple query behind it (its own ReadyForQuery). */
#include "proxy/inflight.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pg/msg.h"

void inflight_init(struct inflight *f)
{
	memset(f, 0, sizeof(*f));
	f->runs = f->first;
	f->size = INFLIGHT_INLINE;
}

void inflight_free(struct inflight *f)
{
	if (f->runs != f->first)
		free(f->runs);
	inflight_init(f);
}

/* `size` is a power of two. */
static inline struct inflight_run *run_at(const struct inflight *f, uint32_t i)
{
	return &f->runs[(f->head + i) & (f->size - 1)];
}

static void grow(struct inflight *f)
{
	struct inflight_run *bigger = mem_array(f->size * 2, sizeof(*bigger));

	for (uint32_t i = 0; i < f->count; i++)
		bigger[i] = *run_at(f, i);
	if (f->runs != f->first)
		free(f->runs);
	f->runs = bigger;
	f->head = 0;
	f->size *= 2;
}

static bool push(struct inflight *f, enum inflight_kind kind)
{
	if (f->count > 0) {
		struct inflight_run *last = run_at(f, f->count - 1);
		if (last->kind == kind && last->count < UINT32_MAX) {
			last->count++;
			return true;
		}
	}
	if (f->count == INFLIGHT_MAX_RUNS)
		return false;
	if (f->count == f->size)
		grow(f);
	*run_at(f, f->count) = (struct inflight_run){.kind = (uint8_t)kind, .count = 1};
	f->count++;
	return true;
}

static bool push_ready(struct inflight *f, enum inflight_kind kind)
{
	if (f->ready_owed == UINT32_MAX || !push(f, kind))
		return false;
	f->ready_owed++;
	return true;
}

static void pop_run(struct inflight *f)
{
	f->head = (f->head + 1) & (f->size - 1);
	f->count--;
}

static void pop_one(struct inflight *f)
{
	if (--run_at(f, 0)->count == 0)
		pop_run(f);
}

static bool head_is(const struct inflight *f, enum inflight_kind kind)
{
	return f->count > 0 && run_at(f, 0)->kind == kind;
}

/* COPY ends that meet no COPY are ignored by the server. */
static void drop_copy_ends(struct inflight *f)
{
	while (head_is(f, INFLIGHT_COPY_END))
		pop_run(f);
}

/* Is the last message that matters one of the extended protocol, without an end behind it? */
static bool ends_open(const struct inflight *f)
{
	for (uint32_t i = f->count; i > 0; i--) {
		uint8_t kind = run_at(f, i - 1)->kind;
		if (kind != INFLIGHT_COPY_END)
			return kind == INFLIGHT_EXTENDED;
	}
	return false;
}

/* What the client sends while the server reads COPY data. */
static bool client_in_copy(struct inflight *f, uint8_t type)
{
	switch (type) {
	case 'd':
	case 'H':
		return true;
	case 'S':
		if (f->unsure < UINT32_MAX)
			f->unsure++;
		return true;
	case 'c':
	case 'f':
		f->copy_in = false;
		return true;
	default:
		/* Fails it and is eaten by that. What comes behind is read normally again. */
		f->eaten = true;
		f->copy_in = false;
		return true;
	}
}

/* Is it one that is answered, if it is read outside a COPY and not skipped? */
static bool counts(uint8_t type)
{
	return type == 'Q' || type == 'F' || type == 'S' || msg_from_client(type)->extended;
}

static void lose(struct inflight *f)
{
	f->open |= f->skip_to_sync || f->count > 0;
	f->skip_to_sync = f->copy_in = f->eaten = false;
	f->doubt = INFLIGHT_LOST;
	f->head = f->count = f->ready_owed = f->unsure = 0;
}

bool inflight_client(struct inflight *f, uint8_t type)
{
	if (f->copy_in)
		return client_in_copy(f, type);
	if (f->skip_to_sync && f->doubt != INFLIGHT_CERTAIN && type != 'S' && counts(type))
		lose(f); /* skipped, or behind a Sync that ended the skipping */
	if (f->doubt == INFLIGHT_LOST) {
		f->open |= counts(type);
		return true;
	}
	if (f->skip_to_sync && type != 'S')
		return true;
	switch (type) {
	case 'Q':
	case 'F':
		if (!push_ready(f, INFLIGHT_QUERY))
			return false;
		f->open = false;
		return true;
	case 'S':
		if (!push_ready(f, INFLIGHT_SYNC))
			return false;
		f->skip_to_sync = f->open = false;
		return true;
	case 'c':
	case 'f':
		/* Only matters if a COPY that is already in flight will meet it. */
		return f->count == 0 || push(f, INFLIGHT_COPY_END);
	default:
		if (!msg_from_client(type)->extended)
			return true;
		if (!push(f, INFLIGHT_EXTENDED))
			return false;
		f->open = true;
		return true;
	}
}

/* An error in the extended protocol: all is skipped up to the next Sync, which is answered. */
static void skip(struct inflight *f)
{
	while (f->count > 0 && !head_is(f, INFLIGHT_SYNC)) {
		if (head_is(f, INFLIGHT_QUERY))
			f->ready_owed -= run_at(f, 0)->count;
		pop_run(f);
	}
	f->skip_to_sync = f->count == 0;
}

/* An extended batch failed, and a Sync in it may have been ignored: is there something between that Sync and the next
 * one, which is then skipped or not? */
static bool skips_unsurely(const struct inflight *f)
{
	for (uint32_t i = 0; i < f->count; i++) {
		const struct inflight_run *r = run_at(f, i);
		if (r->kind == INFLIGHT_SYNC)
			return false;
		if (r->kind == INFLIGHT_QUERY || (r->kind == INFLIGHT_EXTENDED && (i > 0 || r->count > 1)))
			return true;
	}
	return false;
}

static bool server_error(struct inflight *f)
{
	bool lost = f->eaten;

	f->copy_in = f->eaten = false;
	drop_copy_ends(f);
	if (f->unsure > 0 && head_is(f, INFLIGHT_QUERY)) {
		f->doubt = INFLIGHT_COPY;
	} else if (f->unsure > 0) {
		lost |= skips_unsurely(f);
		f->doubt = INFLIGHT_SYNCS;
	}
	if (head_is(f, INFLIGHT_EXTENDED))
		skip(f);
	if (lost)
		lose(f);
	return true; /* also legal with nothing in flight: FATAL at any time */
}

/* CopyInResponse, CopyBothResponse: Syncs and Flushes that are already under way will be ignored, up to the end of
 * the COPY, or all of them if the client has not sent its end yet. */
static bool server_copy_in(struct inflight *f)
{
	struct inflight kept;
	bool ended = false;

	drop_copy_ends(f);
	if (!head_is(f, INFLIGHT_EXTENDED) && !head_is(f, INFLIGHT_QUERY))
		return false;
	inflight_init(&kept);
	for (uint32_t i = 0; i < f->count; i++) {
		struct inflight_run run = *run_at(f, i);
		if (i == 0) {
			/* the one that started the COPY stays at the head until it completes */
			push(&kept, run.kind);
			run.count--;
		}
		while (run.count > 0 && !ended) {
			run.count--;
			if (run.kind == INFLIGHT_SYNC || run.kind == INFLIGHT_QUERY)
				f->ready_owed--;
			/* by its CopyDone, or by a message that fails it and is eaten */
			ended = run.kind != INFLIGHT_SYNC;
			f->unsure += run.kind == INFLIGHT_SYNC;
			f->eaten |= run.kind == INFLIGHT_QUERY || run.kind == INFLIGHT_EXTENDED;
		}
		if (run.count > 0) {
			push(&kept, run.kind);
			run_at(&kept, kept.count - 1)->count += run.count - 1;
		}
	}
	kept.ready_owed = f->ready_owed;
	kept.unsure = f->unsure;
	kept.eaten = f->eaten;
	kept.copy_in = !ended;
	kept.open = ends_open(&kept);
	inflight_free(f);
	*f = kept;
	if (kept.runs == kept.first)
		f->runs = f->first;
	return true;
}

/* What ends one message of the extended protocol. */
static bool server_completes(struct inflight *f, uint8_t type)
{
	drop_copy_ends(f);
	if (type == 'C') {
		/* the COPY, if it was one, has read all there was up to its end */
		f->eaten = false;
		f->unsure = 0;
	}
	if (head_is(f, INFLIGHT_EXTENDED)) {
		pop_one(f);
		return true;
	}
	/* 'T', 'I' and 'C' are also parts of a simple query's answer */
	return head_is(f, INFLIGHT_QUERY) && (type == 'T' || type == 'I' || type == 'C');
}

static bool server_known(struct inflight *f, uint8_t type)
{
	switch (type) {
	case 'Z':
		drop_copy_ends(f);
		if (!head_is(f, INFLIGHT_QUERY) && !head_is(f, INFLIGHT_SYNC))
			return false;
		f->copy_in = false;
		f->ready_owed--;
		pop_one(f);
		if (f->count > 0 && f->ready_owed == 0)
			drop_copy_ends(f);
		return true;
	case 'E':
		return server_error(f);
	case 'G':
	case 'W':
		return server_copy_in(f);
	case 't':
		drop_copy_ends(f);
		return head_is(f, INFLIGHT_EXTENDED);
	case 'V':
		drop_copy_ends(f);
		return head_is(f, INFLIGHT_QUERY);
	default: return !msg_from_server(type)->completes || server_completes(f, type);
	}
}

static void certain(struct inflight *f)
{
	f->doubt = INFLIGHT_CERTAIN;
	f->unsure = 0;
}

/* What is owed for certain is taken to come first: for a Sync that makes no difference, and a query's ReadyForQuery never
 * is the first of its answer. */
static bool server_unsure(struct inflight *f, uint8_t type)
{
	drop_copy_ends(f);
	if (type == 'Z' && !head_is(f, INFLIGHT_SYNC)) {
		/* one of them was read when the COPY was over: it has ended the skipping, too */
		if (f->skip_to_sync)
			f->skip_to_sync = f->open = false;
		if (--f->unsure == 0)
			certain(f);
		return true;
	}
	if (type != 'Z' && (head_is(f, INFLIGHT_QUERY) || head_is(f, INFLIGHT_EXTENDED)))
		certain(f);
	return server_known(f, type);
}

bool inflight_server(struct inflight *f, uint8_t type)
{
	switch ((enum inflight_doubt)f->doubt) {
	case INFLIGHT_CERTAIN: break;
	case INFLIGHT_COPY:
		if (type != 'Z')
			return type == 'E';
		f->doubt = INFLIGHT_SYNCS;
		break;
	case INFLIGHT_SYNCS: return server_unsure(f, type);
	case INFLIGHT_LOST:
		f->open &= type != 'Z';
		return true;
	}
	return server_known(f, type);
}
