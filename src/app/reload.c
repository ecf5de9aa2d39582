/* Parts that fail do not keep the others from being read. */
#include "app/reload.h"

void reload_run(const struct conf *c, struct log *log)
{
	unsigned failed = 0;

	for (size_t i = 0; i < c->tls_count; i++)
		failed += tls_live_reload(c->tls[i].live, clock_system(), log) != 0;
	log_info(log, "SIGHUP: certificates, keys and CA files read again; other options need a restart in this version",
		 LU("failed", failed));
}
