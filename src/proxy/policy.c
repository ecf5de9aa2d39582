/* What a client left running is waited for, or cancelled meanwhile (server.c); what could change the database's fate
 * (an unsynced batch, a COPY half sent) is closed, so that the server rolls it back as it would have done for the client
 * (pitfalls 25, 52). */
#include "proxy/policy.h"

#include <stddef.h>

enum { NO, YES, ANY };

static const struct policy_rule {
	unsigned char ending, dedicated, aligned, closed, idle, in_tx, clean;
	enum policy_action action;
} rules[] = {
	/* ending dedicated aligned closed idle in_tx clean */
	{YES, ANY, ANY, ANY, ANY, ANY, ANY, POLICY_CLOSE},
	{ANY, YES, ANY, ANY, ANY, ANY, ANY, POLICY_CLOSE},
	{ANY, ANY, NO, ANY, ANY, ANY, ANY, POLICY_CLOSE},
	{ANY, ANY, ANY, NO, ANY, ANY, ANY, POLICY_CLOSE},
	{ANY, ANY, ANY, ANY, NO, ANY, ANY, POLICY_DRAIN},
	{ANY, ANY, ANY, ANY, ANY, YES, ANY, POLICY_ROLLBACK},
	{ANY, ANY, ANY, ANY, ANY, ANY, NO, POLICY_RESET},
	{ANY, ANY, ANY, ANY, ANY, ANY, ANY, POLICY_IDLE},
};

static bool fits(unsigned char want, bool is)
{
	return want == ANY || (want == YES) == is;
}

enum policy_action policy_released(const struct policy_input *in)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		const struct policy_rule *r = &rules[i];
		if (fits(r->ending, in->ending) && fits(r->dedicated, in->dedicated) && fits(r->aligned, in->aligned) &&
		    fits(r->closed, in->closed) && fits(r->idle, in->idle) && fits(r->in_tx, in->tx != 'I') &&
		    fits(r->clean, in->clean))
			return r->action;
	}
	return POLICY_CLOSE;
}
