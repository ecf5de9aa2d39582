/* Loading: the sources' values, and what is made of them. */
#include "app/conf_build.h"
#include "app/conf_sources.h"
#include "base/mem.h"

int conf_load(const struct conf_input *in, struct log *log, struct conf **out, struct err *e)
{
	struct conf_problems p = {.in = in, .log = log};
	struct conf *c = mem_zalloc(sizeof(*c));
	struct conf_builder b = {.in = in, .p = &p, .c = c};

	*out = NULL;
	c->refs = 1;
	c->priv = mem_zalloc(sizeof(*c->priv));
	conf_sources_read(in, &p, &c->priv->values);
	c->file = mem_strdup(c->priv->values.file);
	conf_build_global(&b); /* also after errors: all of them are told at once */
	conf_build_targets(&b);
	if (p.errors == 0) {
		*out = c;
		return 0;
	}
	if (e)
		*e = p.first;
	if (p.errors > 1)
		err_detail(e, "There are %u errors in all; `pgiam check` tells every one.", p.errors);
	conf_unref(c);
	return -1;
}
