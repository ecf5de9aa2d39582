/* Providers asked in order, as one provider: the first that is configured answers, with credentials or its
 * failure. Its answer says why each one before was skipped. */
#ifndef PGIAM_AWS_CHAIN_H
#define PGIAM_AWS_CHAIN_H

#include "aws/provider.h"

/* Takes the providers, copies the array. count is at least 1. */
struct provider *chain_new(struct provider *const *providers, size_t count);

/* The chain pgiam uses. */
struct provider *chain_default(const struct provider_deps *d);

/* The one member of it with this name: "env", "web-identity", "profile", "container" or "imds", in upper or lower
 * case. Somebody asked for it: that it is not configured is a failure. */
struct provider *chain_only(const struct provider_deps *d, const char *name) __attribute__((returns_nonnull));

#endif
