/* The files a context is made of: they are read whole, and then, are they still what they were? */
#include "io/tls_private.h"

#include "base/mem.h"

#define TLS_FILE_MAX (16u << 20)

bool tls_ctx_watch(struct tls_ctx *c, const char *path)
{
	struct tls_file f;
	bool present = regular_look(path, &f.mark);

	if (c->file_count < TLS_FILES_MAX) {
		f.path = mem_strdup(path);
		c->file[c->file_count++] = f;
	}
	return present;
}

int tls_file_read(const char *what, const char *path, struct buf *out, struct err *e)
{
	buf_init_secret(out, TLS_FILE_MAX);
	return regular_read(path, ERR_CONFIG, out, NULL, e) == 0 ? 0 : err_prefix(e, "%s file", what);
}

BIO *tls_file_bio(struct buf *b)
{
	return BIO_new_mem_buf(buf_cstr(b), (int)b->n); /* which refuses NULL */
}

bool tls_ctx_is_stale(const struct tls_ctx *c)
{
	for (size_t i = 0; i < c->file_count; i++)
		if (regular_changed(c->file[i].path, &c->file[i].mark))
			return true;
	return false;
}
