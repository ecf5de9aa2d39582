/* Cancel keys that pgiam hands to its clients: 31 bits of pid, whose low bits name the worker, and 32 bits of
 * secret, all random, so at least 56 bits to guess. Looked up in O(1), compared in constant time. */
#ifndef PGIAM_PROXY_KEYRING_H
#define PGIAM_PROXY_KEYRING_H

#include <stdint.h>

struct keyring;

struct cancel_key {
	uint32_t pid, secret; /* pid 0: none */
};

/* workers <= 64, so that enough of the pid stays random. */
struct keyring *keyring_new(uint32_t worker, uint32_t workers);
void keyring_free(struct keyring *k);

/* A new key for owner. */
struct cancel_key keyring_add(struct keyring *k, void *owner);
void keyring_del(struct keyring *k, struct cancel_key *key); /* sets pid to 0; idempotent */

/* The owner, or NULL if there is no such key. */
void *keyring_find(const struct keyring *k, uint32_t pid, uint32_t secret);

/* Which worker's key is this? May be a number that no worker has. */
uint32_t keyring_worker(const struct keyring *k, uint32_t pid);

#endif
