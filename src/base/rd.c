/* What is not worth being inline. */
#include "base/rd.h"

struct slice rd_cstr(struct rd *r)
{
	const unsigned char *nul = r->left ? memchr(r->p, '\0', r->left) : NULL;
	struct slice s;

	if (!nul) {
		rd_fail(r);
		return (struct slice){NULL, 0};
	}
	s = rd_bytes(r, (size_t)(nul - r->p));
	rd_bytes(r, 1);
	return s;
}

struct slice rd_rest(struct rd *r)
{
	return rd_bytes(r, r->left);
}
