/* The files are read anew for whoever asks: they are there before the service is asked, and may be mended while it is
 * silent. */
#include "aws/region_finder.h"

#include <stdio.h>
#include <stdlib.h>
#include "aws/endpoint.h"
#include "aws/imds.h"
#include "aws/profile_load.h"
#include "aws/service.h"
#include "base/mem.h"
#include "io/loop.h"

struct region_finder {
	struct provider_deps deps;
	struct imds *imds;
	struct imds_op *asking;            /* non-NULL exactly while the service is asked */
	char region[ENDPOINT_REGION_SIZE]; /* the instance's; "": not known yet */
	uint64_t failed_us;                /* when it failed last, monotonic; 0: it has not */
	struct err why;                    /* ... and how */
	struct list waiting;               /* region_finder_op.node, of those the service is asked for */
};

struct region_finder_op {
	struct list node; /* linked exactly while it waits; else defer is set */
	struct defer defer;
	char region[ENDPOINT_REGION_SIZE]; /* ""; err says why */
	struct err err;
	region_finder_cb cb;
	void *arg;
};

static void answer(void *arg)
{
	struct region_finder_op *op = arg;
	bool told = op->region[0] != '\0';

	op->cb(op->arg, told ? op->region : NULL, told ? NULL : &op->err);
	free(op);
}

/* What is known of the instance: its region, or why not. */
static void tell(const struct region_finder *f, struct region_finder_op *op)
{
	snprintf(op->region, sizeof(op->region), "%s", f->region);
	if (!f->region[0]) {
		err_set(&op->err, ERR_REGION,
			"no AWS region: no setting, host name, variable or profile tells one, nor the instance: %s",
			f->why.msg);
		snprintf(op->err.detail, sizeof(op->err.detail), "%s", f->why.detail);
	}
	defer_set(&op->defer);
}

static void take(struct region_finder *f, const struct imds_answer *a)
{
	struct slice body = a->body;
	char text[ENDPOINT_REGION_SIZE];

	if (body.n > 0 && body.n < sizeof(text) && !memchr(body.p, '\0', body.n) && !mask_finds(a->mask, body)) {
		snprintf(text, sizeof(text), "%.*s", SLICE_FMT(body));
		text[strcspn(text, "\r\n")] = '\0';
		if (endpoint_region_ok(text)) {
			snprintf(f->region, sizeof(f->region), "%s", text);
			return;
		}
	}
	err_set(&f->why, ERR_REGION, "imds: what the metadata service gave is no region's name");
}

static void heard(void *arg, const struct imds_answer *a)
{
	struct region_finder *f = arg;

	f->asking = NULL;
	if (a->e)
		f->why = *a->e;
	else
		take(f, a);
	if (f->region[0])
		log_info(loop_log(f->deps.loop), "region found", LS("region", f->region), LS("from", "imds"));
	else
		f->failed_us = loop_now_us(f->deps.loop);
	list_each(node, tmp, &f->waiting)
	{
		list_del(node);
		tell(f, container_of(node, struct region_finder_op, node));
	}
}

static void ask_instance(struct region_finder *f, struct region_finder_op *op)
{
	bool lately = f->failed_us && loop_now_us(f->deps.loop) < f->failed_us + REGION_FINDER_PAUSE_US;

	if (f->region[0] || (lately && !f->asking)) {
		tell(f, op);
		return;
	}
	list_add_tail(&f->waiting, &op->node);
	if (!f->asking)
		f->asking = imds_get(f->imds, "latest/meta-data/placement/region", heard, f);
}

struct region_finder_op *region_finder_get(struct region_finder *f, const char *profile, region_finder_cb cb,
					   void *arg)
{
	struct region_finder_op *op = mem_zalloc(sizeof(*op));
	const char *region = NULL;
	int rc;

	list_init(&op->node);
	defer_init(&op->defer, f->deps.loop, answer, op);
	op->cb = cb;
	op->arg = arg;
	rc = service_region(f->deps.env, &region, &op->err);
	if (region && rc == 0)
		snprintf(op->region, sizeof(op->region), "%s", region);
	else if (rc == 0)
		rc = profile_load_region(f->deps.env, profile, op->region, &op->err);
	if (rc > 0)
		ask_instance(f, op);
	else
		defer_set(&op->defer);
	return op;
}

void region_finder_cancel(struct region_finder_op *op)
{
	if (!op)
		return;
	list_del(&op->node);
	defer_clear(&op->defer);
	free(op);
}

const char *region_finder_text(const char *region)
{
	return region ? region : "the instance's region";
}

struct region_finder *region_finder_new(const struct provider_deps *d)
{
	struct region_finder *f = mem_zalloc(sizeof(*f));

	f->deps = *d;
	f->imds = imds_new(d);
	list_init(&f->waiting);
	return f;
}

void region_finder_free(struct region_finder *f)
{
	if (!f)
		return;
	imds_cancel(f->asking);
	imds_free(f->imds);
	free(f);
}

/* ---- at a desk ---- */

static void told(void *arg, const char *region, const struct err *e)
{
	char *copy = mem_strdup(region);

	desk_heard(arg, copy, e);
	free(copy);
}

static void *get(void *keeper, void *refused, struct desk_op *op)
{
	const struct region_seat *seat = keeper;

	(void)refused; /* nobody refuses one */
	return region_finder_get(seat->finder, seat->profile, told, op);
}

static void cancel(void *op)
{
	region_finder_cancel(op);
}

static void *copy(void *region)
{
	return mem_strdup(region);
}

struct desk *region_finder_desk(struct region_seat *seat, struct mailbox *control_mail)
{
	static const struct desk_keeper how = {get, cancel, copy, free};

	return desk_new_for(&how, seat, control_mail);
}
