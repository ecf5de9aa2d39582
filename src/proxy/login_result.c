/* What a login brings, and how much of it is taken. */
#include <string.h>

#include "base/mem.h"
#include "proxy/login_private.h"

int login_result_parameter(struct login_result *r, struct slice name, struct slice value)
{
	size_t bytes = name.n + value.n;

	for (size_t i = 0; i < r->params.n; i++) {
		const struct param *p = &r->params.v[i];
		if (!slice_eq_str(name, p->name))
			bytes += strlen(p->name) + strlen(p->value);
	}
	if (bytes > LOGIN_PARAMS_BYTES)
		return -1;
	params_set(&r->params, name, value);
	return r->params.n > LOGIN_PARAMS_MAX ? -1 : 0;
}

void login_result_free(struct login_result *r)
{
	if (!r)
		return;
	stream_close(r->stream);
	params_free(&r->params);
	mem_free_wipe(r, sizeof(*r));
}
