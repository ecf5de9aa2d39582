#include "proxy/keyring.h"

#include <stdlib.h>
#include "base/digest.h"
#include "base/map.h"
#include "base/mem.h"

struct keyring_entry {
	void *owner;
	uint32_t secret;
};

struct keyring {
	struct map *by_pid; /* struct keyring_entry, owned */
	uint32_t worker, mask;
};

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
		free(v);
	map_free(k->by_pid);
	free(k);
}

static struct slice pid_key(const uint32_t *pid)
{
	return slice_of(pid, sizeof(*pid));
}

struct cancel_key keyring_add(struct keyring *k, void *owner)
{
	struct keyring_entry *e = mem_alloc(sizeof(*e));
	struct cancel_key key;

	do {
		digest_random(&key, sizeof(key));
		key.pid = (key.pid & 0x7fffffffu & ~k->mask) | k->worker; /* drivers show it as a signed number */
	} while (key.pid == 0 || map_get(k->by_pid, pid_key(&key.pid)));
	e->owner = owner;
	e->secret = key.secret;
	map_put(k->by_pid, pid_key(&key.pid), e);
	return key;
}

void keyring_del(struct keyring *k, struct cancel_key *key)
{
	if (key->pid == 0)
		return;
	free(map_del(k->by_pid, pid_key(&key->pid)));
	key->pid = 0;
}

void *keyring_find(const struct keyring *k, uint32_t pid, uint32_t secret)
{
	struct keyring_entry *e = map_get(k->by_pid, pid_key(&pid));

	if (!e || !slice_eq_consttime(slice_of(&e->secret, sizeof(e->secret)), slice_of(&secret, sizeof(secret))))
		return NULL;
	return e->owner;
}

uint32_t keyring_worker(const struct keyring *k, uint32_t pid)
{
	return pid & k->mask;
}
