/* Entries lie in one array in the order they came; the hash table holds their numbers. A deleted
 * entry stays behind, without a value, until the array is full and is packed: so a walk is a
 * number that deletions cannot disturb, and dead entries double as the table's tombstones. */
#include "base/map.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/digest.h"
#include "base/mem.h"

#define MAP_FIRST_ENTRIES 8

struct entry {
	uint64_t hash;
	unsigned char *key; /* owned */
	size_t n;
	void *value; /* NULL: deleted */
};

struct map {
	struct entry *entries;
	size_t used, size; /* used: with the deleted ones; size: a power of two */
	size_t count;
	uint32_t *table; /* 2 * size: entry number + 1, or 0 */
	uint64_t k0, k1;
};

static uint64_t rotl(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"). */
static uint64_t hash_of(const struct map *m, struct slice key)
{
	uint64_t v[4] = {m->k0 ^ 0x736f6d6570736575ULL, m->k1 ^ 0x646f72616e646f6dULL,
			 m->k0 ^ 0x6c7967656e657261ULL, m->k1 ^ 0x7465646279746573ULL};
	uint64_t last = (uint64_t)key.n << 56;
	size_t i = 0;

	for (; key.n - i >= 8; i += 8) {
		uint64_t w = 0;

		for (unsigned j = 0; j < 8; j++)
			w |= (uint64_t)key.p[i + j] << (8 * j);
		v[3] ^= w;
		sip_round(v);
		v[0] ^= w;
	}
	for (unsigned j = 0; i < key.n; i++, j++)
		last |= (uint64_t)key.p[i] << (8 * j);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (unsigned r = 0; r < 3; r++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map *map_new(void)
{
	struct map *m = mem_zalloc(sizeof(*m));

	digest_random(&m->k0, sizeof(m->k0));
	digest_random(&m->k1, sizeof(m->k1));
	return m;
}

void map_free(struct map *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->used; i++)
		free(m->entries[i].key);
	free(m->entries);
	free(m->table);
	free(m);
}

size_t map_count(const struct map *m)
{
	return m->count;
}

static struct entry *find(const struct map *m, struct slice key, uint64_t hash)
{
	size_t mask = 2 * m->size - 1;

	if (m->count == 0)
		return NULL;
	for (size_t i = hash & mask; m->table[i]; i = (i + 1) & mask) {
		struct entry *e = &m->entries[m->table[i] - 1];

		if (e->value && e->hash == hash && slice_eq(slice_of(e->key, e->n), key))
			return e;
	}
	return NULL;
}

static void link_entry(struct map *m, size_t number)
{
	size_t mask = 2 * m->size - 1, i = m->entries[number].hash & mask;

	while (m->table[i])
		i = (i + 1) & mask;
	m->table[i] = (uint32_t)number + 1;
}

/* Packs the entries into an array of which at most half is then in use. */
static void rebuild(struct map *m)
{
	struct entry *old = m->entries;
	size_t old_used = m->used;

	m->size = MAP_FIRST_ENTRIES;
	while (m->size < 2 * m->count)
		m->size *= 2;
	assert(m->size < UINT32_MAX / 2);
	m->entries = mem_array(m->size, sizeof(*m->entries));
	free(m->table);
	m->table = mem_array(2 * m->size, sizeof(*m->table));
	m->used = 0;
	for (size_t i = 0; i < old_used; i++)
		if (old[i].value) {
			m->entries[m->used] = old[i];
			link_entry(m, m->used++);
		}
	free(old);
}

void *map_get(const struct map *m, struct slice key)
{
	struct entry *e = m->count ? find(m, key, hash_of(m, key)) : NULL;

	return e ? e->value : NULL;
}

void *map_put(struct map *m, struct slice key, void *value)
{
	uint64_t hash = hash_of(m, key);
	struct entry *e = find(m, key, hash);

	assert(value);
	if (e) {
		void *before = e->value;

		e->value = value;
		return before;
	}
	if (m->used == m->size)
		rebuild(m);
	m->entries[m->used] = (struct entry){hash, (unsigned char *)slice_dup(key), key.n, value};
	link_entry(m, m->used++);
	m->count++;
	return NULL;
}

void *map_del(struct map *m, struct slice key)
{
	struct entry *e = m->count ? find(m, key, hash_of(m, key)) : NULL;
	void *value;

	if (!e)
		return NULL;
	value = e->value;
	free(e->key); /* last: `key` may be these very bytes */
	e->key = NULL;
	e->n = 0;
	e->value = NULL;
	m->count--;
	return value;
}

bool map_each(const struct map *m, size_t *pos, struct slice *key, void **value)
{
	while (*pos < m->used) {
		const struct entry *e = &m->entries[(*pos)++];

		if (e->value) {
			*key = slice_of(e->key, e->n);
			*value = e->value;
			return true;
		}
	}
	return false;
}
