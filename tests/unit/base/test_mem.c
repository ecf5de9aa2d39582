/* base/mem, base/slice, base/secret, base/list, base/clock, base/histogram: what is too small for a program
 * of its own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/histogram.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/slice.h"

/* So that the sanitizers' allocators fail as the system's does. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void allocates(void **state)
{
	unsigned char *p = mem_zalloc(100);
	char *s;

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	p = mem_resize(p, 200);
	assert_non_null(p);
	free(p);
	p = mem_array(10, 10);
	assert_int_equal(p[99], 0);
	free(p);
	free(mem_alloc(0));
	free(mem_zalloc(0));
	free(mem_array(0, 0));
	free(mem_resize(NULL, 0));
	assert_null(mem_strdup(NULL));
	s = mem_strdup("hello");
	assert_string_equal(s, "hello");
	free(s);
	s = mem_strndup("hello", 2);
	assert_string_equal(s, "he");
	free(s);
	s = mem_strndup("hello", 20);
	assert_string_equal(s, "hello");
	free(s);
	s = mem_strndup(NULL, 3);
	assert_string_equal(s, "");
	free(s);
	s = mem_printf("%s-%d", "a", 7);
	assert_string_equal(s, "a-7");
	mem_free_str_wipe(s);
	mem_free_str_wipe(NULL);
	mem_free_wipe(NULL, 0);
	mem_free_wipe(mem_alloc(3), 3);
}

static void wipes(void **state)
{
	char p[] = "secret";

	(void)state;
	mem_wipe(p, 3);
	assert_memory_equal(p, "\0\0\0ret", 6);
	mem_wipe(NULL, 0);
}

static volatile size_t huge = SIZE_MAX / 2;

static void want_too_much(void)
{
	free(mem_alloc(huge));
}

static void overflow_the_product(void)
{
	free(mem_array(huge, 4));
}

/* Runs f in a child and returns what it said on stderr; the child must have aborted. */
static void aborts(void (*f)(void), const char *saying)
{
	char text[65536] = "";
	size_t n = 0;
	ssize_t did;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 2);
		f();
		_exit(0);
	}
	close(fds[1]);
	while (n < sizeof(text) - 1 && (did = read(fds[0], text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)did;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, saying));
}

static void aborts_when_out_of_memory(void **state)
{
	(void)state;
	aborts(want_too_much, "pgiam: out of memory");
	aborts(overflow_the_product, "pgiam: out of memory");
}

static void slices(void **state)
{
	struct slice a = slice_str("hello"), none = slice_str(NULL);
	char *s;

	(void)state;
	assert_true(slice_eq_str(a, "hello"));
	assert_false(slice_eq_str(a, "hellO"));
	assert_false(slice_eq_str(a, "hell"));
	assert_true(slice_eq(none, slice_str("")));
	assert_true(slice_starts(a, "he"));
	assert_true(slice_starts(a, ""));
	assert_true(slice_starts(none, ""));
	assert_true(slice_starts(a, "hello"));
	assert_false(slice_starts(a, "hello!"));
	assert_false(slice_starts(a, "hi"));
	assert_true(slice_eq_consttime(a, slice_str("hello")));
	assert_false(slice_eq_consttime(a, slice_str("hellO")));
	assert_false(slice_eq_consttime(a, slice_str("hell")));
	assert_true(slice_eq_consttime(none, none));
	s = slice_dup(slice_of("a\0b", 3));
	assert_memory_equal(s, "a\0b\0", 4);
	free(s);
	s = slice_dup(none);
	assert_string_equal(s, "");
	free(s);
}

static void secrets(void **state)
{
	struct secret s = {NULL, 0};

	(void)state;
	assert_false(secret_is_set(&s));
	secret_set(&s, slice_str("hunter2"));
	assert_true(secret_is_set(&s));
	assert_true(slice_eq_str(secret_slice(&s), "hunter2"));
	assert_int_equal(s.p[s.n], 0);
	secret_set(&s, slice_of(s.p + 1, 3)); /* from itself */
	assert_true(slice_eq_str(secret_slice(&s), "unt"));
	secret_set(&s, slice_str(NULL));
	assert_true(secret_is_set(&s)); /* an empty secret is one */
	assert_int_equal(s.n, 0);
	secret_clear(&s);
	secret_clear(&s);
	assert_false(secret_is_set(&s));
}

struct item {
	int v;
	struct list node;
};

static void lists(void **state)
{
	struct list head;
	struct item a = {.v = 1}, b = {.v = 2}, c = {.v = 3};
	int sum = 0;

	(void)state;
	list_init(&head);
	list_init(&a.node);
	list_init(&b.node);
	list_init(&c.node);
	assert_true(list_empty(&head));
	assert_null(list_first(&head));
	assert_false(list_linked(&a.node));
	list_add_tail(&head, &b.node);
	list_add_head(&head, &a.node);
	list_add_tail(&head, &c.node);
	assert_true(list_linked(&a.node));
	assert_ptr_equal(container_of(list_first(&head), struct item, node), &a);
	list_each(it, tmp, &head)
	{
		struct item *i = container_of(it, struct item, node);

		sum = sum * 10 + i->v;
		list_del(it);
	}
	assert_int_equal(sum, 123);
	assert_true(list_empty(&head));
	list_del(&a.node); /* idempotent */
}

static void clocks(void **state)
{
	const struct clock *c = clock_system();
	uint64_t a = clock_mono_us(c), b;

	(void)state;
	usleep(2000);
	b = clock_mono_us(c);
	assert_true(b - a >= 2000 && b - a < 60 * CLOCK_US_PER_SEC);
	assert_true(clock_wall_us(c) > 1700000000LL * (int64_t)CLOCK_US_PER_SEC);
}

static void histograms(void **state)
{
	struct histogram h = {{0}, 0}, other = {{0}, 0};
	const uint32_t *bounds = histogram_bounds_us();

	(void)state;
	for (int i = 1; i < HISTOGRAM_BUCKETS - 1; i++)
		assert_true(bounds[i - 1] < bounds[i]);
	histogram_add(&h, 0);
	histogram_add(&h, bounds[0]); /* a bound belongs to its bucket, as Prometheus' le says */
	histogram_add(&h, bounds[0] + 1);
	histogram_add(&h, UINT32_MAX);
	assert_int_equal(h.bucket[0], 2);
	assert_int_equal(h.bucket[1], 1);
	assert_int_equal(h.bucket[HISTOGRAM_BUCKETS - 1], 1);
	assert_int_equal(h.sum_us, 2ULL * bounds[0] + 1 + UINT32_MAX);
	assert_int_equal(histogram_count(&h), 4);
	histogram_add(&other, bounds[1]);
	histogram_merge(&other, &h);
	assert_int_equal(histogram_count(&other), 5);
	assert_int_equal(other.bucket[1], 2);
	assert_int_equal(other.sum_us, h.sum_us + bounds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocates),
		cmocka_unit_test(wipes),
		cmocka_unit_test(aborts_when_out_of_memory),
		cmocka_unit_test(slices),
		cmocka_unit_test(secrets),
		cmocka_unit_test(lists),
		cmocka_unit_test(clocks),
		cmocka_unit_test(histograms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
