/* New clients go to whoever has fewest. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "app/balance.h"

#define WORKERS 4
#define ROUNDS  20000

static void even(void **state)
{
	struct balance *b = balance_new(WORKERS);
	unsigned got[WORKERS] = {0};

	(void)state;
	for (int i = 0; i < 40; i++)
		got[balance_take(b, 0)]++; /* all accepted by one */
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(got[i], 10);
	/* on a tie the one that accepted keeps it */
	for (unsigned i = WORKERS; i-- > 0;)
		assert_int_equal(balance_take(b, i), i);
	for (int i = 0; i < 3; i++)
		balance_give(b, 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(balance_take(b, 0), 2);
	balance_free(b);
	balance_free(NULL);
}

static void alone(void **state)
{
	struct balance *b = balance_new(1);

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(balance_take(b, 0), 0);
	balance_free(b);
}

static void *come_and_go(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		balance_give(arg, balance_take(arg, (unsigned)i % WORKERS));
	return NULL;
}

/* Nothing is lost or counted twice when all do it at once. */
static void threads(void **state)
{
	struct balance *b = balance_new(WORKERS);
	pthread_t t[WORKERS];
	unsigned got[WORKERS] = {0};

	(void)state;
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, come_and_go, b), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 2 * WORKERS; i++)
		got[balance_take(b, 3)]++;
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(got[i], 2);
	balance_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(even),
		cmocka_unit_test(alone),
		cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
