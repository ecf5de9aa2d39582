/* The tables of the state machines: every state can be reached and left for the last one, and none that waits
 * for somebody is without a deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "proxy/client.h"

struct machine {
	const char *name; /* the file of its table: by that STATE_TRACE tells transitions */
	const struct state_row *(*rows)(size_t *count);
	/* States that may last for ever: what is awaited there is a client with nothing to do, or a query. */
	const char *const *endless;
};

static const char *const client_endless[] = {"idle", "linked", NULL};
static const char *const server_endless[] = {"linked", NULL};
static const char *const relay_endless[] = {"open", "mute", NULL};
static const char *const none[] = {NULL};

static const struct machine machines[] = {
	{"client",    client_state_rows,   client_endless},
	{"server",    server_state_rows,   server_endless},
	{"relay_end", relay_state_rows,    relay_endless },
	{"login",     login_state_rows,    none          },
	{"upstream",  upstream_state_rows, none          },
	{"cancel",    cancel_state_rows,   none          },
};

/* States reachable from `from`, itself included. */
static uint32_t reach(const struct state_row *rows, size_t n, unsigned from)
{
	uint32_t seen = STATE_BIT(from), before;

	do {
		before = seen;
		for (unsigned i = 0; i < n; i++)
			if (seen & STATE_BIT(i))
				seen |= rows[i].next;
	} while (seen != before);
	return seen;
}

/* Is the last but one, which leads to the last alone, next? */
static bool ends_in_words(const struct state_row *rows, size_t last, const struct state_row *r)
{
	return rows[last - 1].next == STATE_BIT(last) && (r->next & STATE_BIT(last - 1));
}

static bool in_list(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

static void check(const struct machine *m)
{
	size_t n, last;
	const struct state_row *rows = m->rows(&n);
	uint32_t all;

	assert_true(n > 1 && n < 32);
	last = n - 1;
	all = STATE_BIT(n) - 1;
	assert_int_equal(reach(rows, n, 0), all);
	for (unsigned i = 0; i < n; i++) {
		const struct state_row *r = &rows[i];
		bool final = i == last;

		print_message("%s: %s\n", m->name, r->name ? r->name : "(no name)");
		assert_non_null(r->name);
		assert_int_equal(r->next & ~all, 0);
		assert_true(reach(rows, n, i) & STATE_BIT(last));
		/* the last one is the end, and from everywhere there is a way to it that waits for nobody but a peer to take
		 * its last words: anything can break */
		assert_int_equal(r->next == 0, final);
		assert_true(final || (r->next & STATE_BIT(last)) || ends_in_words(rows, last, r));
		assert_int_equal(r->deadline == DEADLINE_FINAL, final);
		assert_int_equal(r->deadline == DEADLINE_NONE, in_list(m->endless, r->name));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(rows[j].name, r->name);
	}
}

static void every_table_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++)
		check(&machines[i]);
}

/* For contrib/dev/coverage.sh: all legal transitions. */
static void list(void)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++) {
		size_t n;
		const struct state_row *rows = machines[i].rows(&n);

		for (size_t from = 0; from < n; from++)
			for (size_t to = 0; to < n; to++)
				if (rows[from].next & STATE_BIT(to))
					printf("%s %s %s\n", machines[i].name, rows[from].name, rows[to].name);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_table_holds),
	};

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		list();
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
