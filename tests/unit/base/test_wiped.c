/* Secrets do not outlive what held them, be it freed, emptied or moved. */
#include "config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "wiped.h"

#define SECRET "a secret that is long enough"

static void assert_wiped(void)
{
	assert_int_equal(watch.wiped, 1);
	assert_int_equal(watch.dirty, 0);
}

static void strings(void **state)
{
	char *s = mem_strdup(SECRET);

	(void)state;
	watch_for(s, strlen(s));
	mem_free_str_wipe(s);
	assert_wiped();
	s = mem_strdup(SECRET);
	watch_for(s, strlen(s));
	mem_free_wipe(s, strlen(s));
	assert_wiped();
}

static void buffers(void **state)
{
	struct buf b;

	(void)state;
	buf_init_secret(&b, 10000);
	buf_add_str(&b, SECRET);
	watch_for(b.p, b.n);
	buf_space(&b, 5000); /* elsewhere */
	assert_wiped();
	watch_for(b.p, b.n);
	buf_free(&b);
	assert_wiped();
}

static void secrets(void **state)
{
	struct secret s = {0};

	(void)state;
	secret_set(&s, slice_str(SECRET));
	watch_for(secret_slice(&s).p, secret_slice(&s).n);
	secret_set(&s, slice_str("another"));
	assert_wiped();
	watch_for(secret_slice(&s).p, secret_slice(&s).n);
	secret_clear(&s);
	assert_wiped();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings), cmocka_unit_test(buffers), cmocka_unit_test(secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
