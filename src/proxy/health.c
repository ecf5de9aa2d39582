/* A login that succeeded may be long ago although all is well, because its session is still in use: so what
 * outweighs a refusal is a session that stands, or a login within the memory. What outweighs an outage is
 * only a later login: a session may stand on a connection whose other end is gone. */
#include "proxy/health.h"

#include <stddef.h>

/* Is it the server that answered, and turned down this login: its user, database or settings? It may be full for one user
 * alone, too. */
static bool is_refusal(const struct err *e)
{
	enum err_class c = err_class(e);

	return c == ERR_CLASS_REFUSED || c == ERR_CLASS_FULL;
}

void health_good(struct health *h, uint64_t now_us)
{
	h->good_us = now_us;
}

void health_failed(struct health *h, uint64_t now_us, const struct err *e, bool known)
{
	enum health_kind kind = !is_refusal(e) ? HEALTH_AWAY : known ? HEALTH_LOST : HEALTH_STRANGER;

	h->last[kind] = (struct health_failure){.at_us = now_us, .why = *e};
}

void health_merge(struct health *into, const struct health *from)
{
	if (from->good_us > into->good_us)
		into->good_us = from->good_us;
	into->serving += from->serving;
	for (size_t i = 0; i < HEALTH_KINDS; i++)
		if (from->last[i].at_us > into->last[i].at_us)
			into->last[i] = from->last[i];
}

/* Workers' clocks are read a moment before they are judged, or a moment after: a little in the future is now.
 */
static bool is_recent(uint64_t at_us, uint64_t now_us)
{
	return at_us && (at_us >= now_us || now_us - at_us <= HEALTH_MEMORY_US);
}

const struct err *health_why(const struct health *h, uint64_t now_us)
{
	const bool counts[HEALTH_KINDS] = {
		/* In the same turn of the loop the failure came later: a session that ended as it began. */
		[HEALTH_AWAY] = h->last[HEALTH_AWAY].at_us >= h->good_us,
		[HEALTH_LOST] = h->serving == 0 && !is_recent(h->good_us, now_us),
		[HEALTH_STRANGER] = h->serving == 0 && h->good_us == 0,
	};

	for (size_t i = 0; i < HEALTH_KINDS; i++)
		if (counts[i] && is_recent(h->last[i].at_us, now_us))
			return &h->last[i].why;
	return NULL;
}
