/* Databases may show the same file under different CAs: a metric with the same labels twice would be no metric. */
#include "app/certificates.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

struct certificates {
	size_t count;
	struct admin_certificate *list;
	struct tls_live **live; /* of each, borrowed */
};

static bool is_listed(const struct certificates *t, const struct admin_certificate *one)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->list[i].file, one->file) == 0 && strcmp(t->list[i].shown_to, one->shown_to) == 0)
			return true;
	return false;
}

struct certificates *certificates_new(const struct conf *c)
{
	struct certificates *t = mem_zalloc(sizeof(*t));

	t->list = mem_array(c->tls_count, sizeof(*t->list));
	t->live = mem_array(c->tls_count, sizeof(*t->live));
	for (size_t i = 0; i < c->tls_count; i++) {
		struct admin_certificate one = {.file = c->tls[i].cert_file,
						.shown_to = c->tls[i].clients ? "clients" : "servers"};

		if (!one.file || is_listed(t, &one))
			continue;
		t->list[t->count] = one;
		t->live[t->count++] = c->tls[i].live;
	}
	return t;
}

void certificates_free(struct certificates *t)
{
	if (!t)
		return;
	free(t->list);
	free(t->live);
	free(t);
}

const struct admin_certificate *certificates_now(struct certificates *t, size_t *count)
{
	for (size_t i = 0; i < t->count; i++)
		t->list[i].expires_sec = tls_live_expires_sec(t->live[i]);
	*count = t->count;
	return t->list;
}
