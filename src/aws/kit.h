/* What every provider on one loop works with (provider_deps), made from an environment: its copy (settings.h), the HTTP
 * client as AWS_CA_BUNDLE and the proxy variables want it, the measured skew, and who finds the region. */
#ifndef PGIAM_AWS_KIT_H
#define PGIAM_AWS_KIT_H

#include "aws/provider.h"
#include "aws/skew.h"

struct kit {
	struct provider_deps deps;
	struct skew skew;
};

/* env is copied; the rest is borrowed for the kit's life. offload and mail may be NULL. NULL with e set if
 * the HTTP client cannot be had. */
struct kit *kit_new(struct loop *l, const char *const *env, struct offload *offload, struct mailbox *mail,
		    struct err *e);
void kit_free(struct kit *k); /* after all that works with it; NULL is fine */

#endif
