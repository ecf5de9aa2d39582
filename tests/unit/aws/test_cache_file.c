/* Files that the AWS CLI reads as well: how what was renewed gets into them. */
#include "home.h"

#include <unistd.h>
#include "aws/cache_file.h"
#include "aws/file.h"
#include "base/mem.h"

#define OLD "{\"accessToken\":\"old\",\"region\":\"r\"}"

struct fixture {
	struct home home;
	char *file, *link, *elsewhere; /* of the home directory */
	struct json *json;
	struct err e;
};

static char *in(const struct home *h, const char *name)
{
	return mem_printf("%s/.aws/%s", h->path, name);
}

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	home_make(&f->home);
	f->file = in(&f->home, "token.json");
	f->link = in(&f->home, "sso/cache/link.json");
	f->elsewhere = in(&f->home, "elsewhere.json");
	home_write(&f->home, "token.json", OLD);
	f->json = json_parse(slice_str(OLD));
	assert_non_null(f->json);
	cache_file_set(f->json, "accessToken", slice_str("new"));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	json_free(f->json);
	home_remove(&f->home);
	free(f->file);
	free(f->link);
	free(f->elsewhere);
	free(f);
	return 0;
}

static bool holds(const char *path, const char *token)
{
	struct buf text;
	bool yes;

	buf_init(&text, CACHE_FILE_MAX);
	assert_int_equal(file_read(path, "test", &text, NULL), 0);
	yes = strstr(buf_cstr(&text), token) != NULL;
	buf_free(&text);
	return yes;
}

static mode_t mode(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode;
}

static void in_place(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(cache_file_write(f->file, f->json, &f->e), 0);
	assert_true(holds(f->file, "\"new\"") && holds(f->file, "\"r\""));
	assert_int_equal(mode(f->file), S_IFREG | 0600);
	assert_int_equal(cache_file_write(f->elsewhere, f->json, &f->e), 0); /* it was taken away meanwhile */
	assert_true(holds(f->elsewhere, "\"new\""));
}

/* The directory may be somebody's dotfiles, or a volume: the link stays, over several steps, too. */
static void through_a_link(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(symlink("token.json", f->elsewhere), 0);
	assert_int_equal(symlink("../../elsewhere.json", f->link), 0);
	assert_int_equal(cache_file_write(f->link, f->json, &f->e), 0);
	assert_true(S_ISLNK(mode(f->link)) && S_ISLNK(mode(f->elsewhere)));
	assert_int_equal(mode(f->file), S_IFREG | 0600);
	assert_true(holds(f->file, "\"new\""));
}

static void refuse(struct fixture *f, const char *words)
{
	assert_int_equal(cache_file_write(f->link, f->json, &f->e), -1);
	if (!strstr(f->e.msg, words))
		fail_msg("%s", f->e.msg);
	assert_true(S_ISLNK(mode(f->link)));
}

static void not_through_these(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(symlink("/nonexistent/token.json", f->link), 0);
	refuse(f, "No such file");
	unlink(f->link);
	assert_int_equal(symlink(f->home.path, f->link), 0);
	refuse(f, "is not this user's");
	unlink(f->link);
	assert_int_equal(symlink("link.json", f->link), 0);
	refuse(f, "Too many levels");
	unlink(f->link);
	if (geteuid() != 0)
		return; /* nobody else can give files away */
	assert_int_equal(symlink(f->file, f->link), 0);
	assert_int_equal(lchown(f->link, 65534, 65534), 0);
	refuse(f, "is not this user's");
	assert_int_equal(lchown(f->link, 0, 0), 0);
	unlink(f->link);
	assert_int_equal(symlink(f->file, f->elsewhere), 0); /* the second of two */
	assert_int_equal(lchown(f->elsewhere, 65534, 65534), 0);
	assert_int_equal(symlink("../../elsewhere.json", f->link), 0);
	refuse(f, "is not this user's");
	assert_true(holds(f->file, "\"old\""));
	assert_int_equal(lchown(f->elsewhere, 0, 0), 0);
	assert_int_equal(chown(f->file, 65534, 65534), 0);
	refuse(f, "is not this user's");
	assert_true(holds(f->file, "\"old\""));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {T(in_place), T(through_a_link), T(not_through_these)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
