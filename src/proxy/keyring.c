/* The secret is compared only where the pid, which anybody on the way may have seen, names an entry; and wiped with it. */
#include "proxy/keyring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/digest.h"
#include "base/map.h"
#include "base/mem.h"

struct keyring_entry {
	void *owner;
	size_t bytes;
	unsigned char secret[KEYRING_SECRET_MAX];
};

struct keyring {
	struct map *by_pid; /* struct keyring_entry, owned */
	uint32_t worker, mask;
	size_t left;        /* of random, from its beginning: not given out yet */
	unsigned char random[1024];
};

/* The generator costs by the call, some 10,000 instructions, and every connection would pay for one. */
static void draw(struct keyring *k, void *out, size_t n)
{
	if (k->left < n) {
		digest_random(k->random, sizeof(k->random));
		k->left = sizeof(k->random);
	}
	k->left -= n;
	memcpy(out, k->random + k->left, n);
	mem_wipe(k->random + k->left, n);
}

struct keyring *keyring_new(uint32_t worker, uint32_t workers)
{
	struct keyring *k = mem_zalloc(sizeof(*k));

	k->by_pid = map_new();
	k->worker = worker;
	while (k->mask + 1 < workers)
		k->mask = k->mask << 1 | 1;
	return k;
}

void keyring_free(struct keyring *k)
{
	struct slice key;
	void *v;

	if (!k)
		return;
	for (size_t pos = 0; map_each(k->by_pid, &pos, &key, &v);)
		mem_free_wipe(v, sizeof(struct keyring_entry));
	map_free(k->by_pid);
	mem_free_wipe(k, sizeof(*k));
}

static struct slice pid_key(const uint32_t *pid)
{
	return slice_of(pid, sizeof(*pid));
}

uint32_t keyring_add(struct keyring *k, void *owner, size_t bytes)
{
	struct keyring_entry *e = mem_zalloc(sizeof(*e));
	uint32_t pid;

	assert(bytes >= 4 && bytes <= sizeof(e->secret));
	do {
		draw(k, &pid, sizeof(pid));
		pid = (pid & 0x7fffffffu & ~k->mask) | k->worker; /* drivers show it as a signed number */
	} while (pid == 0 || map_get(k->by_pid, pid_key(&pid)));
	e->owner = owner;
	e->bytes = bytes;
	draw(k, e->secret, bytes);
	map_put(k->by_pid, pid_key(&pid), e);
	return pid;
}

void keyring_del(struct keyring *k, uint32_t *pid)
{
	if (*pid == 0)
		return;
	mem_free_wipe(map_del(k->by_pid, pid_key(pid)), sizeof(struct keyring_entry));
	*pid = 0;
}

struct slice keyring_secret(const struct keyring *k, uint32_t pid)
{
	const struct keyring_entry *e = map_get(k->by_pid, pid_key(&pid));

	return e ? slice_of(e->secret, e->bytes) : slice_of(NULL, 0);
}

void *keyring_find(const struct keyring *k, uint32_t pid, struct slice secret)
{
	const struct keyring_entry *e = map_get(k->by_pid, pid_key(&pid));

	return e && slice_eq_consttime(slice_of(e->secret, e->bytes), secret) ? e->owner : NULL;
}

uint32_t keyring_worker(const struct keyring *k, uint32_t pid)
{
	return pid & k->mask;
}
