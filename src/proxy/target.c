/* Targets cross threads as references only: the count is atomic, everything else is read-only once built. */
#include <stdlib.h>
#include "base/mem.h"
#include "proxy/target.h"

struct target *target_new(const struct target *t)
{
	struct target *n = mem_alloc(sizeof(*n));

	*n = *t;
	n->refs = 1;
	n->dial.host = n->host;
	n->dial.hostaddr = n->hostaddr;
	n->dial.port = n->port;
	return n;
}

struct target *target_ref(struct target *t)
{
	__atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

void target_fini(struct target *t)
{
	free(t->name);
	free(t->host);
	free(t->hostaddr);
	free(t->tls_name);
	free(t->iam_host);
	free(t->dbname);
	free(t->user);
	free(t->reset_query);
	free(t->connect_query);
	params_free(&t->startup_defaults);
	tls_ctx_unref(t->tls);
}

void target_unref(struct target *t)
{
	if (!t || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	target_fini(t);
	free(t);
}
