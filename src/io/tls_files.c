/* The files a context was made of: are they still what they were? */
#include "io/tls_private.h"

#include "base/mem.h"

static bool tls_file_look(struct tls_file *f, const char *path)
{
	struct stat st;

	f->present = stat(path, &st) == 0;
	if (f->present) {
		f->dev = st.st_dev;
		f->ino = st.st_ino;
		f->size = st.st_size;
		f->mtime = st.st_mtim;
	}
	return f->present;
}

bool tls_ctx_watch(struct tls_ctx *c, const char *path)
{
	struct tls_file now = {0};
	bool present = tls_file_look(&now, path);

	if (c->file_count < TLS_FILES_MAX) {
		now.path = mem_strdup(path);
		c->file[c->file_count++] = now;
	}
	return present;
}

static bool tls_file_changed(const struct tls_file *f)
{
	struct tls_file now = {0};

	if (tls_file_look(&now, f->path) != f->present)
		return true;
	return f->present && (now.dev != f->dev || now.ino != f->ino || now.size != f->size ||
			      now.mtime.tv_sec != f->mtime.tv_sec || now.mtime.tv_nsec != f->mtime.tv_nsec);
}

bool tls_ctx_is_stale(const struct tls_ctx *c)
{
	for (size_t i = 0; i < c->file_count; i++)
		if (tls_file_changed(&c->file[i]))
			return true;
	return false;
}
