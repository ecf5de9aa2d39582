/* The auth_file on disk, a worker's own: read again when it has changed. A file that cannot be used leaves what was
 * read before in place, and the log says why. */
#ifndef PGIAM_PROXY_AUTH_STORE_H
#define PGIAM_PROXY_AUTH_STORE_H

#include "io/loop.h"
#include "proxy/auth_users.h"

/* Adds a configuration file's text to out, a secret buf of AUTH_STORE_MAX. 0, or -1 with e, which names the file. *exposed,
 * if not NULL: others than its owner and group may read it. */
#define AUTH_STORE_MAX (AUTH_USERS_MAX_FILE + 65536)
int auth_store_text(const char *path, struct buf *out, bool *exposed, struct err *e);

/* Reads path as an auth_file. Owned; NULL with e, which names the file. exposed: as above. */
struct auth_users *auth_store_read(const char *path, bool *exposed, struct err *e);

struct auth_store;

/* path is borrowed. NULL is fine for the others: no file, nobody known. */
struct auth_store *auth_store_new(struct loop *l, const char *path);
void auth_store_free(struct auth_store *s);

/* What the file says; looked at once a second at most. Borrowed until the next call; NULL: nothing could be read yet. */
const struct auth_users *auth_store_users(struct auth_store *s);

#endif
