/* app/options and app/conf_listen: any text for any option; what is taken is in its range, addresses print
 * and read. The first byte chooses the option. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "app/conf_listen.h"
#include "app/options.h"
#include "base/mem.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void value(const struct option *o, const char *text)
{
	struct option_value v;
	struct err e;

	if (options_parse(o, text, &v, &e) != 0) {
		must(e.code == ERR_CONFIG && e.msg[0]);
		return;
	}
	if (o->class != OPTION_HONOURED)
		return;
	switch (o->type) {
	case OPTION_BOOL: must(v.num == 0 || v.num == 1); break;
	case OPTION_INT: must((double)v.num >= o->min && (double)v.num <= o->max); break;
	case OPTION_RATE: must(v.rate >= o->min && v.rate <= o->max); break;
	case OPTION_SECONDS: must(v.num >= 0 && v.num <= 315360000LL * 1000000); break;
	case OPTION_MODE: must(v.num >= 0 && v.num <= 0777); break;
	case OPTION_ENUM: must(v.num >= 0 && v.num < 8); break;
	case OPTION_STRING:
	case OPTION_PATH:
	case OPTION_LIST:
	case OPTION_ADDRS: break;
	}
}

/* What pairs are read as, written down, are the same pairs. */
static void pairs(const char *text)
{
	struct conf_listen_list once = {0}, twice = {0};
	struct err e;

	if (conf_listen_add_pairs(&once, text, &e) == 0) {
		for (size_t i = 0; i < once.n; i++)
			must(conf_listen_add_pairs(&twice, once.v[i].text, &e) == 0);
		must(once.n == twice.n);
		for (size_t i = 0; i < once.n; i++)
			must(strcmp(once.v[i].text, twice.v[i].text) == 0 && addr_port(&once.v[i].addr) > 0);
	}
	conf_listen_free(once.v, once.n);
	conf_listen_free(twice.v, twice.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_listen_list hosts = {0};
	struct err e;
	char *text;

	if (size == 0)
		return 0;
	text = mem_strndup((const char *)data + 1, size - 1);
	value(options_get(data[0] % options_count()), text);
	options_nearest(text, OPTION_GLOBAL);
	pairs(text);
	conf_listen_add_hosts(&hosts, text, 5432, &e);
	conf_listen_free(hosts.v, hosts.n);
	free(text);
	return 0;
}
