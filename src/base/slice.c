/* What of slices is not worth inlining. */
#include "base/slice.h"

#include <openssl/crypto.h>
#include "base/mem.h"

bool slice_starts(struct slice a, const char *prefix)
{
	size_t n = strlen(prefix);

	return n <= a.n && (n == 0 || memcmp(a.p, prefix, n) == 0);
}

char *slice_dup(struct slice s)
{
	char *copy = mem_alloc(s.n + 1);

	if (s.n)
		memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return copy;
}

bool slice_eq_consttime(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}
