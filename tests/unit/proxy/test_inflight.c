/* What a server owes, rule by rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "proxy/inflight.h"

/* ---- rules ----
 * A conversation as text: "Q>" is a message of the client, "<C" one of the server; several letters are several
 * messages. */
static void talk(struct inflight *f, const char *text)
{
	while (*text) {
		if (*text == '<') {
			for (text++; *text && *text != ' '; text++)
				if (!inflight_server(f, (uint8_t)*text))
					fail_msg("'%c' was not expected: ...%s", *text, text);
		} else if (*text == ' ') {
			text++;
		} else {
			for (; *text != '>'; text++) {
				assert_true(*text != '\0');
				if (*text != ' ')
					assert_true(inflight_client(f, (uint8_t)*text));
			}
			text++;
		}
	}
}

static void idle_after(const char *text)
{
	struct inflight f;

	inflight_init(&f);
	talk(&f, text);
	if (!inflight_idle(&f) || !inflight_closed(&f) || f.ready_owed != 0)
		fail_msg("not idle after %s", text);
	inflight_free(&f);
}

/* Not idle; closed or not as `closed` says. */
static void owes_after(const char *text, bool closed)
{
	struct inflight f;

	inflight_init(&f);
	talk(&f, text);
	if (inflight_idle(&f) || inflight_closed(&f) != closed)
		fail_msg("after %s: idle=%d closed=%d", text, inflight_idle(&f), inflight_closed(&f));
	inflight_free(&f);
}

/* Neither idle nor closed; quiet or not. */
static void in_doubt_after(const char *text, bool quiet)
{
	struct inflight f;

	inflight_init(&f);
	talk(&f, text);
	if (f.doubt == INFLIGHT_CERTAIN || inflight_idle(&f) || inflight_closed(&f) || inflight_quiet(&f) != quiet)
		fail_msg("after %s: doubt=%d quiet=%d", text, f.doubt, inflight_quiet(&f));
	inflight_free(&f);
}

static void refused_after(const char *text, char server)
{
	struct inflight f;

	inflight_init(&f);
	talk(&f, text);
	if (inflight_server(&f, (uint8_t)server))
		fail_msg("'%c' was taken after %s", server, text);
	inflight_free(&f);
}

static void simple_queries(void **state)
{
	(void)state;
	idle_after("");
	owes_after("Q>", true);
	owes_after("Q> <TDDC", true);
	idle_after("Q> <TDDCZ");
	idle_after("Q> <IZ");
	idle_after("Q> <EZ");
	idle_after("Q> <TDCTDCCEZ"); /* several statements in one, the last one fails */
	owes_after("QQ> <CZ", true);
	idle_after("QQ> <CZ <TCZ");
	idle_after("Q> <HddcCZ"); /* COPY TO STDOUT */
}

static void function_calls(void **state)
{
	(void)state;
	refused_after("", 'V');
	refused_after("PBE>", 'V');
	owes_after("F>", true);
	idle_after("F> <VZ");
	idle_after("F> <EZ");
	idle_after("QF> <CZVZ");
}

static void extended(void **state)
{
	(void)state;
	owes_after("PBDES> <12T", true);
	idle_after("PBDES> <12TDDDCZ");
	idle_after("PBDES> <12nCZ");
	idle_after("PDS> <1tTZ"); /* a statement is described by two */
	idle_after("PDS> <1tnZ");
	idle_after("PBES> <12IZ"); /* empty query */
	idle_after("PBES> <12DDsZ");
	idle_after("CCS> <33Z");
	idle_after("S> <Z");
	idle_after("S> <EZ"); /* a deferred constraint */
	owes_after("SS> <Z", true);
	idle_after("SS> <ZZ");
	idle_after("PBESPBES> <12CZ12CZ");
}

static void flush_and_suspended_portals(void **state)
{
	(void)state;
	idle_after("H>");
	owes_after("PBEH>", false);
	owes_after("PBEH> <12Ds EH> <D", false);
	/* all is answered, but the batch and its transaction are open: only a Sync ends them (pitfall 26) */
	owes_after("P>  <1", false);
	owes_after("PBEH> <12C", false);
	owes_after("PBEH> <12Ds", false);
	idle_after("PBEH> <12Ds EH> <DC S> <Z");
}

static void errors_skip_to_sync(void **state)
{
	(void)state;
	owes_after("PBE> <E", false);
	owes_after("PBE> <1E", false);
	owes_after("PBE> <E PBQQ>", false); /* all of it is skipped */
	owes_after("PBE> <E S>", true);
	idle_after("PBES> <EZ");
	idle_after("PBES> <1EZ");
	idle_after("PBES> <12EZ");
	idle_after("PBE> <E PBES> <Z");
	idle_after("PBESPBES> <EZ12CZ");
	/* a simple query in the same batch is skipped too (pitfall 20) ... */
	owes_after("PBEQ> <E", false);
	idle_after("PBEQ> <E S> <Z");
	idle_after("PBEQQS> <EZ");
	/* ... but one behind the Sync is not, and an error in one skips nothing */
	owes_after("PBESQ> <EZ", true);
	idle_after("PBESQ> <EZCZ");
	idle_after("PBQPBES> <12EZ12CZ");
	idle_after("PBEQ> <12CCZ"); /* the query ends the batch (pitfall 38) */
}

static void what_answers_nothing(void **state)
{
	static const char answers[] = "123nsICTtZGW";

	(void)state;
	for (const char *a = answers; *a; a++) {
		refused_after("", *a);
		refused_after("Q> <CZ", *a);
		refused_after("H>", *a);
		refused_after("dcf>", *a);
	}
	refused_after("Q>", '1');
	refused_after("Q>", '2');
	refused_after("Q>", 's');
	refused_after("Q>", 'n');
	refused_after("P>", 'Z');
	refused_after("PS> <1", 'C');
	refused_after("S>", 'C');
	refused_after("S>", 'G');
	refused_after("PBE> <E", 'Z');
	/* an error is legal at any time: FATAL */
	idle_after("<E");
	idle_after("Q> <CZE");
}

static void copy_in_by_a_simple_query(void **state)
{
	(void)state;
	owes_after("Q> <G", false);
	owes_after("Q> <G dd>", false);
	owes_after("Q> <G dd HS>", false); /* Flush and Sync are ignored (pitfall 23) */
	owes_after("Q> <G dd c>", true);
	idle_after("Q> <G ddc> <CZ");
	idle_after("Q> <G ddSSHc> <CZ");
	idle_after("Q> <G df> <EZ");
	idle_after("Q> <G c> <CG c> <CZ"); /* two COPYs in one query */
	/* pipelined, before the client could know */
	idle_after("Qddc> <GCZ");
	idle_after("QdcQdc> <GCZGCZ");
	idle_after("QcQ> <GCZCZ");
	owes_after("Qc> <GCG", false);
	/* it never came to a COPY: its messages are ignored */
	idle_after("Qddc> <EZ");
	idle_after("QdcQ> <EZCZ");
	idle_after("QccffQdc> <EZGCZ");
}

static void copy_in_by_the_extended_protocol(void **state)
{
	(void)state;
	owes_after("PBE> <12G", false);
	owes_after("PBE> <12G dc>", false); /* no Sync yet */
	idle_after("PBE> <12G dcS> <CZ");
	idle_after("PBEH> <12G dHcS> <CZ");
	/* the Sync was sent before the COPY was known, as libpq does: it is eaten by it */
	owes_after("PBES> <12G", false);
	owes_after("PBES> <12G dc> <C", false);
	idle_after("PBES> <12G dcS> <CZ");
	/* pipelined with its data */
	idle_after("PBEddcS> <12GCZ");
	idle_after("PBEdcPBEdcS> <12GC12GCZ");
	idle_after("PBEdcSPBES> <12GCZ12CZ");
	idle_after("PBEcS> <12EZ");
}

static void failing_copies(void **state)
{
	(void)state;
	/* the server fails it, the client has not seen that yet (pitfall 24) */
	owes_after("Q> <G d> <E ddc>", true);
	idle_after("Q> <G d> <E ddc> <Z");
	idle_after("Q> <G d> <EZ ddc>");
	idle_after("Q> <G d> <EZ ddcQ> <CZ");
	idle_after("PBE> <12G d> <E dcS> <Z");
	owes_after("PBE> <12G d> <E dc>", false);
	idle_after("PBE> <12G dfS> <EZ");
	idle_after("PBE> <12G dfSQ> <EZCZ");
}

/* A COPY fails, and Syncs were sent that it would have eaten: whether the server read them before it failed cannot
 * be known at once. The client is idle, the server not. */
static void copies_failing_among_syncs(void **state)
{
	(void)state;
	owes_after("PBES> <12G", false);
	owes_after("PBES> <12GE", false);
	in_doubt_after("PBES> <12G d> <E cS> <Z", true);
	in_doubt_after("PBES> <12G d> <E cS>", false);
	in_doubt_after("PBES> <12GE H>", false);
	in_doubt_after("Q> <G S> <E", false); /* the query's own answer is still to come */
	in_doubt_after("Q> <G S> <EZ", true);
	in_doubt_after("Q> <G SS> <EZZ", true);
	in_doubt_after("Q> <G S> <EZ Q>", false);
	/* each has been answered */
	idle_after("PBES> <12GEZ"); /* COPY to a view: it fails before it reads */
	idle_after("PBES> <12GEZ dcS> <Z");
	idle_after("PBES> <12G d> <E cS> <ZZ");
	idle_after("Q> <G S> <EZZ");
	refused_after("Q> <G S> <EZZ", 'Z');
	/* the answer to what was asked later: they will not be */
	idle_after("PBES> <12G d> <E cS> <Z Q> <CZ");
	idle_after("PBES> <12G d> <E cS> <Z F> <VZ");
	idle_after("PBES> <12G d> <E cS> <Z PBES> <12CZ");
	idle_after("PBES> <12G d> <E cS> <Z QS> <EZZ");
	idle_after("Q> <G S> <EZ Q> <CZ");
	refused_after("Q> <G S> <EZ Q> <CZ", 'Z');
	refused_after("Q> <G S> <E", 'C');
	/* ... or they were, before it */
	idle_after("Q> <G S> <EZ Q> <ZCZ");
	idle_after("Q> <G SS> <EZ QPBES> <ZCZ12CZ");
	idle_after("PBES> <12G d> <E cS> <Z PBE> <Z12C S> <Z");
	/* one that ended well has read them all */
	idle_after("PBES> <12G dSSSc> <C S> <Z");
	/* more than Syncs: nothing is known any more but who spoke last */
	in_doubt_after("Q> <G Q> <EZ", true); /* eaten by the COPY, or not */
	in_doubt_after("Q> <G Q> <EZC", true);
	in_doubt_after("Q> <G Q> <EZCZ Q>", false);
	in_doubt_after("Q> <G Q> <EZCZ Q> <CZ", true);
	in_doubt_after("QQ> <GEZCZ", true);
	in_doubt_after("PBES> <12G d> <E Q>", false); /* skipped, or not */
	in_doubt_after("PBES> <12G dcP> <E", false);
}

static void copy_both(void **state)
{
	(void)state;
	owes_after("Q> <W", false);
	owes_after("Q> <W d> <dd d> <d", false);
	owes_after("Q> <W d> <c c>", true);
	idle_after("Q> <W d c> <dcCCZ");
	idle_after("Q> <W d f> <EZ");
}

static void stray_copy_messages(void **state)
{
	(void)state;
	idle_after("d>");
	idle_after("c>");
	idle_after("f>");
	idle_after("ddcfQ> <CZ");
	idle_after("Qdc> <CZ");
	idle_after("PBEScf> <12CZ");
	idle_after("PBEScfQ> <12CZCZ");
	idle_after("PcBcEfS> <12CZ");
	owes_after("Pc>", false);
	owes_after("Qc>", true);
}

/* ---- sizes ---- */

static void equal_messages_take_one_entry(void **state)
{
	struct inflight f;

	(void)state;
	inflight_init(&f);
	for (int i = 0; i < 1000000; i++)
		assert_true(inflight_client(&f, "PBE"[i % 3]));
	assert_int_equal(f.count, 1);
	assert_ptr_equal(f.runs, f.first);
	for (int i = 0; i < 1000000; i++)
		assert_true(inflight_server(&f, "12C"[i % 3]));
	talk(&f, "S> <Z");
	assert_true(inflight_idle(&f));
	inflight_free(&f);
	inflight_free(&f);
}

static void the_ring_grows_and_wraps(void **state)
{
	struct inflight f;

	(void)state;
	inflight_init(&f);
	for (int lag = 1; lag < 300; lag += 7) {
		for (int i = 0; i < lag; i++)
			talk(&f, "BESQ>");
		for (int i = 0; i < 500; i++)
			talk(&f, "BESQ> <2CZCZ");
		for (int i = 0; i < lag; i++)
			talk(&f, "<2EZTCZ");
		assert_true(inflight_idle(&f));
	}
	inflight_free(&f);
	assert_ptr_equal(f.runs, f.first);
}

static void there_is_a_most(void **state)
{
	struct inflight f;
	uint32_t n = 0;

	(void)state;
	inflight_init(&f);
	while (inflight_client(&f, "ES"[n % 2]))
		n++;
	assert_int_equal(n, INFLIGHT_MAX_RUNS);
	/* refusing changes nothing: the message is offered again when there is room */
	assert_false(inflight_client(&f, 'E'));
	assert_false(inflight_client(&f, 'Q'));
	assert_true(inflight_client(&f, 'H'));
	assert_true(inflight_client(&f, 'S')); /* one more of the kind at the end */
	talk(&f, "<CZ");
	assert_true(inflight_client(&f, 'E'));
	assert_true(inflight_client(&f, 'S'));
	assert_false(inflight_client(&f, 'E'));
	for (uint32_t i = 0; i < INFLIGHT_MAX_RUNS / 2 - 2; i++)
		talk(&f, "<CZ");
	talk(&f, "<CZZ <CZ");
	assert_true(inflight_idle(&f));
	inflight_free(&f);
	/* a refused Sync ends no skipping */
	inflight_init(&f);
	talk(&f, "P> <E S> <Z");
	inflight_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(simple_queries),
		cmocka_unit_test(function_calls),
		cmocka_unit_test(extended),
		cmocka_unit_test(flush_and_suspended_portals),
		cmocka_unit_test(errors_skip_to_sync),
		cmocka_unit_test(what_answers_nothing),
		cmocka_unit_test(copy_in_by_a_simple_query),
		cmocka_unit_test(copy_in_by_the_extended_protocol),
		cmocka_unit_test(failing_copies),
		cmocka_unit_test(copies_failing_among_syncs),
		cmocka_unit_test(copy_both),
		cmocka_unit_test(stray_copy_messages),
		cmocka_unit_test(equal_messages_take_one_entry),
		cmocka_unit_test(the_ring_grows_and_wraps),
		cmocka_unit_test(there_is_a_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
