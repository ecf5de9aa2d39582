/* RLIMIT_CORE alone is not enough: a core_pattern that pipes to a handler ignores it, but not that the
 * process is not dumpable. */
#include "base/harden.h"

#include <sys/prctl.h>
#include <sys/resource.h>

int harden_process(struct err *e)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return err_set(e, ERR_INTERNAL, "setrlimit(RLIMIT_CORE): %m");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_set(e, ERR_INTERNAL, "prctl(PR_SET_DUMPABLE): %m");
	return 0;
}
