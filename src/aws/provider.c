/* What the causes of a failure are called, and what they come to for who waits. */
#include "aws/provider.h"

static const struct {
	const char *label;
	enum err_code code;
} causes[] = {
#define X(cause, label, code) [cause] = {label, code},
	PROVIDER_CAUSE_TABLE(X)
#undef X
};

const char *provider_cause_label(enum provider_cause cause)
{
	return causes[cause].label;
}

void provider_cause_code(enum provider_cause cause, struct err *e)
{
	if (causes[cause].code != ERR_CREDENTIALS)
		err_recode(e, causes[cause].code); /* else it may say something more special, a missing region for one */
}

bool provider_cause_is_of_signing(enum provider_cause cause)
{
	return cause == PROVIDER_CAUSE_REFUSED || cause == PROVIDER_CAUSE_EXPIRED || cause == PROVIDER_CAUSE_SESSION;
}
