/* Targets cross threads as references only: the count is atomic, everything else is read-only once built. */
#include <stdlib.h>
#include <string.h>
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

void target_copy(struct target *to, const struct target *from)
{
	*to = *from;
	to->name = mem_strdup(from->name);
	to->host = mem_strdup(from->host);
	to->hostaddr = mem_strdup(from->hostaddr);
	to->tls_name = mem_strdup(from->tls_name);
	to->iam_host = mem_strdup(from->iam_host);
	to->dbname = mem_strdup(from->dbname);
	to->user = mem_strdup(from->user);
	to->reset_query = mem_strdup(from->reset_query);
	to->connect_query = mem_strdup(from->connect_query);
	params_init(&to->startup_defaults);
	params_copy(&to->startup_defaults, &from->startup_defaults);
	to->tls = from->tls ? tls_live_ref(from->tls) : NULL;
	to->dial.host = to->host;
	to->dial.hostaddr = to->hostaddr;
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
	tls_live_unref(t->tls);
}

void target_unref(struct target *t)
{
	if (!t || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	target_fini(t);
	free(t);
}

bool target_is_console(const char *name)
{
	return strcmp(name, "pgiam") == 0 || strcmp(name, "pgbouncer") == 0;
}
