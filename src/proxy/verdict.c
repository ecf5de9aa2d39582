/* A refused password is tried again only if another one may be had meanwhile. A token always: RDS's authentication helper also
 * refuses good ones now and then, when it is slow or throttled. That is strain only where the user is one that was let in
 * before: whoever may connect could make up names, and slow down everybody's logins.
 *
 * A refusal is not asked for again soon: it costs the database an IAM check each time. A server that is away is: it costs
 * nothing, and whoever waits wants it the moment it is back. One that is starting up has answered nobody: that passes
 * (pitfall 59). So do credentials that are away: whoever waits gets in when they are back. Asking for those costs the
 * database nothing, so that is done more often, also where somebody has to mend something first. */
#include "proxy/verdict.h"

#include <stddef.h>

#define REFUSED_US UINT64_C(15000000)
#define AWAY_US    UINT64_C(2000000)
#define SOURCE_US  UINT64_C(800000) /* at most a second, with what chance adds */

enum { NO, YES, ANY };

#define ANY_CODE ERR_NONE

static const struct rule {
	enum err_class class;
	enum err_code code;
	unsigned char retried, refreshed, known;
	struct verdict verdict;
} rules[] = {
	/* class              code               retried refreshed known   again told     outcome           backoff */
	{ERR_CLASS_REFUSED,  ERR_AUTH_IAM,      NO,  ANY, YES, {true,  VERDICT_NOBODY,    GOVERNOR_STRAIN,  REFUSED_US}},
	{ERR_CLASS_REFUSED,  ERR_AUTH_IAM,      NO,  ANY, NO,  {true,  VERDICT_NOBODY,    GOVERNOR_REFUSED, REFUSED_US}},
	{ERR_CLASS_REFUSED,  ERR_AUTH_PASSWORD, NO,  YES, ANY, {true,  VERDICT_NOBODY,    GOVERNOR_REFUSED, REFUSED_US}},
	{ERR_CLASS_REFUSED,  ERR_AUTH_IAM,      YES, ANY, YES, {false, VERDICT_ALL,       GOVERNOR_STRAIN,  REFUSED_US}},
	{ERR_CLASS_REFUSED,  ANY_CODE,          ANY, ANY, ANY, {false, VERDICT_ALL,       GOVERNOR_REFUSED, REFUSED_US}},
	{ERR_CLASS_FULL,     ANY_CODE,          ANY, ANY, ANY, {false, VERDICT_NEWCOMERS, GOVERNOR_STRAIN,  AWAY_US   }},
	{ERR_CLASS_AWAY,     ANY_CODE,          ANY, ANY, ANY, {false, VERDICT_NEWCOMERS, GOVERNOR_REFUSED, AWAY_US   }},
	{ERR_CLASS_BUSY,     ANY_CODE,          ANY, ANY, ANY, {false, VERDICT_NEWCOMERS, GOVERNOR_STRAIN,  AWAY_US   }},
	{ERR_CLASS_STARTING, ANY_CODE,          ANY, ANY, ANY, {false, VERDICT_NOBODY,    GOVERNOR_STRAIN,  AWAY_US   }},
	{ERR_CLASS_OURS,     ERR_CREDENTIALS_AWAY, ANY, ANY, ANY, {false, VERDICT_NOBODY, GOVERNOR_REFUSED, SOURCE_US}},
	{ERR_CLASS_OURS,     ANY_CODE,          ANY, ANY, ANY, {false, VERDICT_NOBODY,    GOVERNOR_REFUSED, AWAY_US   }},
	{ERR_CLASS_FINAL,    ERR_CREDENTIALS,   ANY, ANY, ANY, {false, VERDICT_ALL,       GOVERNOR_REFUSED, SOURCE_US }},
	{ERR_CLASS_FINAL,    ERR_REGION,        ANY, ANY, ANY, {false, VERDICT_ALL,       GOVERNOR_REFUSED, SOURCE_US }},
	{ERR_CLASS_FINAL,    ANY_CODE,          ANY, ANY, ANY, {false, VERDICT_ALL,       GOVERNOR_REFUSED, REFUSED_US}},
};

static bool fits(unsigned char want, bool is)
{
	return want == ANY || (want == YES) == is;
}

const struct verdict *verdict_of(const struct verdict_input *in)
{
	const size_t last = sizeof(rules) / sizeof(*rules) - 1;
	size_t i = 0;

	for (; i < last; i++) {
		const struct rule *r = &rules[i];
		if (r->class == in->class && (r->code == ANY_CODE || r->code == in->code) && fits(r->retried, in->retried) &&
		    fits(r->refreshed, in->refreshed) && fits(r->known, in->known))
			break;
	}
	return &rules[i].verdict;
}
