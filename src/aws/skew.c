/* The answer's date was written at some moment between question and answer, and has whole seconds: what lies
 * inside that interval is no skew. An answer that took long to come says little and is not used. */
#include "aws/skew.h"

#include "aws/date.h"

#define US_PER_SEC INT64_C(1000000)
#define ANSWER_MAX_US (10 * US_PER_SEC)

void skew_init(struct skew *s)
{
	atomic_init(&s->measured_us, 0);
	atomic_init(&s->correction_us, 0);
}

static int64_t magnitude(int64_t us)
{
	return us < 0 ? -us : us;
}

/* For people, to the nearest second. */
static void format_offset(int64_t offset, char out[DATE_SPAN_SIZE])
{
	date_format_span(magnitude(offset) + US_PER_SEC / 2, out);
}

void skew_measure(struct skew *s, int64_t date_wall_us, int64_t asked_wall_us, int64_t now_wall_us,
		  struct log *log)
{
	char span[DATE_SPAN_SIZE];
	int64_t middle = asked_wall_us + (now_wall_us - asked_wall_us) / 2;
	int64_t offset = date_wall_us + US_PER_SEC / 2 - middle;
	int64_t before = atomic_load_explicit(&s->correction_us, memory_order_relaxed);
	bool correct;

	if (now_wall_us < asked_wall_us || now_wall_us - asked_wall_us > ANSWER_MAX_US)
		return;
	atomic_store_explicit(&s->measured_us, offset, memory_order_relaxed);
	correct = magnitude(offset) >= SKEW_IGNORED_US && magnitude(offset) <= SKEW_CORRECTED_MAX_US;
	/* A correction that is good to some seconds stays as it is. */
	if (correct && magnitude(offset - before) < SKEW_IGNORED_US / 2)
		return;
	atomic_store_explicit(&s->correction_us, correct ? offset : 0, memory_order_relaxed);
	format_offset(offset, span);
	if (magnitude(offset) > SKEW_CORRECTED_MAX_US)
		log_error(log, "clock is wrong, too far to correct", LS("by", span),
			  LS("direction", offset < 0 ? "fast" : "slow"),
			  LS("hint", "Set this machine's clock: AWS refuses what it signs."));
	else if (correct)
		log_warning(log, "clock is wrong, corrected when signing", LS("by", span),
			    LS("direction", offset < 0 ? "fast" : "slow"),
			    LS("hint", "Set this machine's clock, and see that it is kept in step (NTP)."));
	else if (before != 0)
		log_info(log, "clock is right again");
}

void skew_hint(const struct skew *s, struct err *e)
{
	char span[DATE_SPAN_SIZE];
	int64_t offset = s ? atomic_load_explicit(&s->measured_us, memory_order_relaxed) : 0;

	if (magnitude(offset) <= SKEW_CORRECTED_MAX_US)
		return;
	format_offset(offset, span);
	err_hint(e, "Set this machine's clock: it is %s %s AWS's, which is too far to correct.", span,
		 offset < 0 ? "ahead of" : "behind");
}

int64_t skew_wall_us(const struct skew *s, const struct clock *c)
{
	return clock_wall_us(c) + (s ? atomic_load_explicit(&s->correction_us, memory_order_relaxed) : 0);
}
