#include "aws/profile_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "aws/endpoint.h"
#include "aws/env.h"
#include "aws/file.h"
#include "base/mem.h"

struct place {
	const char *variable, *in_home;
};

static const struct place places[] = {
	[PROFILE_CONFIG] = {"AWS_CONFIG_FILE",             ".aws/config"     },
	[PROFILE_CREDENTIALS] = {"AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"},
};

/* Owned, or NULL: there is no home. */
static char *path_of(const char *const *env, const struct place *at)
{
	const char *path = env_get(env, at->variable), *home = env_get(env, "HOME");

	if (path && strncmp(path, "~/", 2) != 0)
		return mem_strdup(path);
	if (!home)
		return path ? mem_strdup(path) : NULL;
	return mem_printf("%s/%s", home, path ? path + 2 : at->in_home);
}

static int load(const char *const *env, bool named, enum profile_file_source source, struct profile_file *f,
		struct err *e)
{
	const struct place *at = &places[source];
	bool wanted = named || env_get(env, at->variable);
	char *path = path_of(env, at);
	struct buf text;
	int rc = 0;

	if (!path)
		return 0;
	buf_init_secret(&text, PROFILE_FILE_MAX);
	if (file_read(path, "the AWS files", &text, e) == 0)
		rc = profile_file_add(f, source, path, buf_slice(&text), e);
	else if (wanted && errno != ENOENT && errno != ENOTDIR)
		rc = -1;
	buf_free(&text);
	free(path);
	return rc;
}

int profile_load(const char *const *env, bool named, struct profile_file *f, struct err *e)
{
	return load(env, named, PROFILE_CONFIG, f, e) == 0 ? load(env, named, PROFILE_CREDENTIALS, f, e) : -1;
}

void profile_load_look(const char *const *env, struct profile_marks *out)
{
	for (size_t i = 0; i < PROFILE_SOURCES; i++) {
		char *path = path_of(env, &places[i]);

		out->of[i] = (struct regular_mark){.present = false};
		if (path)
			regular_look(path, &out->of[i]);
		free(path);
	}
}

bool profile_load_changed(const char *const *env, const struct profile_marks *since)
{
	bool changed = false;

	for (size_t i = 0; i < PROFILE_SOURCES && !changed; i++) {
		char *path = path_of(env, &places[i]);

		changed = path && regular_changed(path, &since->of[i]);
		free(path);
	}
	return changed;
}

const char *profile_load_name(const char *const *env, const char *name)
{
	if (!name)
		name = env_get(env, "AWS_PROFILE");
	return name ? name : env_get(env, "AWS_DEFAULT_PROFILE");
}

/* As profile_load_region, of the files. */
static int region_of(const struct profile_file *f, const char *name, char out[64], struct err *e)
{
	const struct profile_section *p = profile_file_find(f, PROFILE_PROFILE, name);
	const char *region;

	if (!p) {
		err_set(e, ERR_REGION, "there is no profile \"%.100s\"", name);
		return 1;
	}
	if (profile_file_check(p, e) != 0)
		return -1;
	region = profile_file_get(p, "region");
	if (!region) {
		err_set(e, ERR_REGION, "profile \"%.100s\" has no region", name);
		return 1;
	}
	if (!endpoint_region_ok(region))
		return err_set(e, ERR_REGION, "the region of profile \"%.100s\" has not the form of a region name",
			       name);
	snprintf(out, ENDPOINT_REGION_SIZE, "%s", region);
	return 0;
}

int profile_load_region(const char *const *env, const char *name, char out[64], struct err *e)
{
	const char *named = profile_load_name(env, name);
	struct profile_file *f = profile_file_new();
	struct err why;
	int rc = profile_load(env, named != NULL, f, &why);

	if (rc == 0)
		rc = region_of(f, named ? named : "default", out, &why);
	if (rc != 0 && e) {
		*e = why;
		e->code = ERR_REGION;
	}
	profile_file_free(f);
	return rc;
}
