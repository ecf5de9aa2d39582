/* Parts that fail do not keep the others from being read. */
#include "app/reload.h"

#include "proxy/auth_store.h"

void reload_run(const struct conf *c, struct log *log)
{
	unsigned failed = 0;

	for (size_t i = 0; i < c->tls_count; i++)
		failed += tls_live_reload(c->tls[i].live, clock_system(), log) != 0;
	failed += auth_store_reload(c->auth, clock_system(), log);
	log_info(log,
		 "SIGHUP: certificates, keys, CA files and auth files read again; other options need a restart in this version",
		 LU("failed", failed));
}
