/* What becomes of a server whose client left: every combination, against the rules written down a second time as
 * a chain of reasons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "proxy/policy.h"

/* Independent of the table's order: what must hold of each action, and that exactly one holds. */
static bool must_close(const struct policy_input *in)
{
	return in->ending || in->dedicated || !in->aligned || !in->closed;
}

static bool fits(enum policy_action a, const struct policy_input *in)
{
	bool usable = !must_close(in), open = in->tx == 'T' || in->tx == 'E';

	switch (a) {
	case POLICY_CLOSE: return !usable;
	case POLICY_DRAIN: return usable && !in->idle;
	case POLICY_ROLLBACK: return usable && in->idle && open;
	case POLICY_RESET: return usable && in->idle && !open && !in->clean;
	case POLICY_IDLE: return usable && in->idle && !open && in->clean;
	}
	return false;
}

static void every_combination(void **state)
{
	static const char tx[] = {'I', 'T', 'E'};

	(void)state;
	for (unsigned bits = 0; bits < 64; bits++) {
		for (unsigned t = 0; t < 3; t++) {
			struct policy_input in = {
				.aligned = bits & 1,
				.closed = bits & 2,
				.idle = bits & 4,
				.tx = tx[t],
				.dedicated = bits & 8,
				.ending = bits & 16,
				.clean = bits & 32,
			};
			enum policy_action a = policy_released(&in);
			unsigned fit = 0;

			for (unsigned k = POLICY_CLOSE; k <= POLICY_IDLE; k++)
				fit += fits((enum policy_action)k, &in);
			assert_int_equal(fit, 1);
			assert_true(fits(a, &in));
		}
	}
}

/* A good server, but for one thing. */
static enum policy_action but(void (*spoil)(struct policy_input *))
{
	struct policy_input in = {.aligned = true, .closed = true, .idle = true, .tx = 'I', .clean = true};

	if (spoil)
		spoil(&in);
	return policy_released(&in);
}

static void ending(struct policy_input *in) { in->ending = true; }
static void dedicated(struct policy_input *in) { in->dedicated = true; }
static void cut_short(struct policy_input *in) { in->aligned = false; }
static void unsynced(struct policy_input *in) { in->closed = false; }
static void owing(struct policy_input *in) { in->idle = false; }
static void in_transaction(struct policy_input *in) { in->tx = 'T'; }
static void in_failed_transaction(struct policy_input *in) { in->tx = 'E'; }
static void used(struct policy_input *in) { in->clean = false; }

static void each_row(void **state)
{
	(void)state;
	assert_int_equal(but(NULL), POLICY_IDLE);
	assert_int_equal(but(ending), POLICY_CLOSE);
	assert_int_equal(but(dedicated), POLICY_CLOSE);
	assert_int_equal(but(cut_short), POLICY_CLOSE);
	assert_int_equal(but(unsynced), POLICY_CLOSE);
	assert_int_equal(but(owing), POLICY_DRAIN);
	assert_int_equal(but(in_transaction), POLICY_ROLLBACK);
	assert_int_equal(but(in_failed_transaction), POLICY_ROLLBACK);
	assert_int_equal(but(used), POLICY_RESET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_combination),
		cmocka_unit_test(each_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
