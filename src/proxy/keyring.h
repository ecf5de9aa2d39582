/* Cancel keys that pgiam hands to its clients: 31 bits of pid, whose low bits name the worker, and a secret of 32 bits
 * (protocol 3.0) or 256 (3.2), all random, so at least 56 bits to guess. Looked up in O(1), compared in constant time. */
#ifndef PGIAM_PROXY_KEYRING_H
#define PGIAM_PROXY_KEYRING_H

#include <stdint.h>
#include "base/slice.h"

#define KEYRING_SECRET_MAX 32

struct keyring;

/* workers <= 64, so that enough of the pid stays random. */
struct keyring *keyring_new(uint32_t worker, uint32_t workers);
void keyring_free(struct keyring *k);

/* A new key for owner, with a secret of so many bytes, 4 to KEYRING_SECRET_MAX: its pid, never 0, is returned. */
uint32_t keyring_add(struct keyring *k, void *owner, size_t bytes);
void keyring_del(struct keyring *k, uint32_t *pid); /* sets it to 0; 0 is none */

/* Its secret; borrowed until keyring_del. */
struct slice keyring_secret(const struct keyring *k, uint32_t pid);

/* The owner, or NULL if there is no such key. The secret is a stranger's: of any length. */
void *keyring_find(const struct keyring *k, uint32_t pid, struct slice secret);

/* Which worker's key is this? May be a number that no worker has. */
uint32_t keyring_worker(const struct keyring *k, uint32_t pid);

#endif
