/* Stands in for libFuzzer's main: runs the target over its corpus (tests/fuzz/corpus/<target name>/), or over the
 * files and directories named as arguments. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long replayed;

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	int rc = -1;

	if (!f || fstat(fileno(f), &st) != 0) {
		perror(path);
		if (f)
			fclose(f);
		return -1;
	}
	data = malloc(st.st_size ? (size_t)st.st_size : 1); /* exactly, so that ASan sees an over-read */
	if (data && fread(data, 1, (size_t)st.st_size, f) == (size_t)st.st_size) {
		LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
		replayed++;
		rc = 0;
	}
	free(data);
	fclose(f);
	return rc;
}

static int replay_path(const char *path)
{
	struct stat st;
	struct dirent *de;
	DIR *d;
	int rc = 0;

	if (stat(path, &st) != 0) {
		perror(path);
		return -1;
	}
	if (!S_ISDIR(st.st_mode))
		return replay_file(path);
	d = opendir(path);
	if (!d)
		return -1;
	while ((de = readdir(d))) {
		char sub[4096];
		if (de->d_name[0] == '.')
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, de->d_name);
		if (replay_path(sub) != 0)
			rc = -1;
	}
	closedir(d);
	return rc;
}

int main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir") ? getenv("srcdir") : ".";
	const char *base = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	char corpus[4096];
	int rc = 0;

	if (argc == 1) {
		snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/%s", srcdir, base);
		rc = replay_path(corpus);
	}
	for (int i = 1; i < argc; i++)
		rc |= replay_path(argv[i]);
	printf("%s: %lu inputs replayed\n", base, replayed);
	return rc != 0 || replayed == 0;
}
