/* Hash map from bytes to pointers. Keys are copied; values are the caller's. The hash is
 * keyed with random bytes per map, so that a peer who chooses keys cannot make them collide. */
#ifndef PGIAM_BASE_MAP_H
#define PGIAM_BASE_MAP_H

#include "base/slice.h"

struct map;

struct map *map_new(void) __attribute__((returns_nonnull));

/* Frees the map, not the values. NULL is fine. */
void map_free(struct map *m);

size_t map_count(const struct map *m);

/* The value, or NULL. */
void *map_get(const struct map *m, struct slice key);

/* Sets a value (not NULL) and returns the one that was there before, or NULL. */
void *map_put(struct map *m, struct slice key, void *value);

/* Removes and returns the value, or NULL. */
void *map_del(struct map *m, struct slice key);

/* Walk: start with *pos = 0; returns false at the end. The map must not change meanwhile,
 * except that the entry just returned may be deleted. Order is arbitrary. */
bool map_each(const struct map *m, size_t *pos, struct slice *key, void **value);

#endif
