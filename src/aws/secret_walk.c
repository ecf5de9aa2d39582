/* A reading is a walk over the stages; it ends with the first version that was not turned down of late. */
#include "aws/secret_walk.h"

#include <stdlib.h>
#include <string.h>
#include "aws/secrets_manager.h"
#include "base/mem.h"
#include "io/loop.h"

/* In the order of the walk. */
static const char *const stages[] = {"AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"};
#define STAGES (sizeof(stages) / sizeof(stages[0]))

struct secret_walk {
	struct secret_reader base; /* first */
	struct provider_deps deps;
	char *id, *region, *profile;
	/* the walk */
	struct secrets_manager *call; /* non-NULL exactly while one is under way */
	size_t stage;                 /* whose version is being read */
	struct credentials *signer;   /* borrowed */
	const struct secret_value *last; /* borrowed; or NULL */
	struct secret_value *current; /* that it has read; NULL: not yet */
	secret_reader_cb cb;
	void *arg;
	/* versions that servers turned down, newest first; "" */
	char tried[STAGES][SECRET_VALUE_VERSION_MAX + 1];
	uint64_t tried_us; /* when the last of them was, monotonic */
};

static void read_stage(struct secret_walk *w);

static struct secret_walk *walk_of(struct secret_reader *r)
{
	return (struct secret_walk *)r; /* its first member */
}

static bool was_tried(const struct secret_walk *w, const struct secret_value *v)
{
	for (size_t i = 0; i < STAGES; i++)
		if (strcmp(w->tried[i], v->version) == 0)
			return true;
	return false;
}

static void finish(struct secret_walk *w, const struct secret_reader_answer *a)
{
	struct secret_value *current = w->current;

	w->current = NULL;
	w->cb(w->arg, a);
	secret_value_unref(current);
}

static void on_read(void *arg, const struct secret_reader_answer *a)
{
	struct secret_walk *w = arg;

	w->call = NULL;
	if (w->stage == 0 && a->value)
		w->current = secret_value_ref(a->value);
	/* There need not be any version in the other stages. */
	if (w->stage == 0 && !a->value) {
		finish(w, a);
	} else if (a->value && !was_tried(w, a->value)) {
		finish(w, a);
	} else if (++w->stage < STAGES) {
		read_stage(w);
	} else {
		memset(w->tried, 0, sizeof(w->tried)); /* all were: from the beginning */
		finish(w, &(struct secret_reader_answer){.value = w->current});
	}
}

static void read_stage(struct secret_walk *w)
{
	w->call = secrets_manager_get(&w->deps,
				      &(struct secrets_manager_request){
					      .id = w->id,
					      .stage = stages[w->stage],
					      .region = w->region,
					      .profile = w->profile,
					      .signer = w->signer,
					      .known = secret_value_password(w->last),
				      },
				      on_read, w);
}

static void walk_read(struct secret_reader *r, struct credentials *signer, const struct secret_value *last,
		      secret_reader_cb cb, void *arg)
{
	struct secret_walk *w = walk_of(r);

	w->signer = signer;
	w->last = last;
	w->cb = cb;
	w->arg = arg;
	w->stage = 0;
	read_stage(w);
}

static void walk_cancel(struct secret_reader *r)
{
	struct secret_walk *w = walk_of(r);

	secrets_manager_cancel(w->call);
	secret_value_unref(w->current);
	w->call = NULL;
	w->current = NULL;
}

static void walk_refused(struct secret_reader *r, const struct secret_value *v)
{
	struct secret_walk *w = walk_of(r);
	uint64_t now = loop_now_us(w->deps.loop);

	if (now - w->tried_us > SECRET_WALK_TRIED_US)
		memset(w->tried, 0, sizeof(w->tried));
	w->tried_us = now;
	if (was_tried(w, v))
		return;
	memmove(w->tried[1], w->tried[0], (STAGES - 1) * sizeof(w->tried[0]));
	memcpy(w->tried[0], v->version, sizeof(v->version));
}

static void walk_free(struct secret_reader *r)
{
	struct secret_walk *w = walk_of(r);

	free(w->id);
	free(w->region);
	free(w->profile);
	free(w);
}

struct secret_reader *secret_walk_new(const struct provider_deps *d, const struct secret_walk_opts *o)
{
	static const struct secret_reader_ops ops = {walk_read, walk_cancel, walk_refused, walk_free};
	struct secret_walk *w = mem_zalloc(sizeof(*w));

	w->base.ops = &ops;
	w->deps = *d;
	w->id = mem_strdup(o->id);
	w->region = mem_strdup(o->region);
	w->profile = mem_strdup(o->profile);
	return &w->base;
}
