/* A line is built in one buffer and handed over whole. What fails often fails for one reason, so
 * repetition is bounded here, for everybody: a table of the last few (level, msg), each with a count
 * for the second it is in. msg is a literal, so its address identifies it. */
#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include "base/buf.h"
#include "base/enc.h"
#include "base/mem.h"

#define LOG_VALUE_BYTES 1024
#define LOG_LINE_BYTES  16384
#define LOG_TAIL_BYTES  64 /* kept free for what must end a line */

#define LOG_LIMIT_SLOTS  64
#define LOG_LIMIT_LINES  10 /* of one kind in LOG_LIMIT_PERIOD */
#define LOG_LIMIT_PERIOD CLOCK_US_PER_SEC

struct limit {
	const char *msg; /* NULL: free */
	enum log_level level;
	uint64_t since_us;
	uint64_t written, suppressed; /* in this period */
};

struct log {
	const struct clock *clock;
	enum log_level level;
	enum log_format format;
	log_sink sink;
	void *arg;
	struct buf line, value;
	uint64_t suppressed;
	unsigned unsettled; /* limits with something suppressed */
	struct limit limits[LOG_LIMIT_SLOTS];
};

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

struct log *log_new(const struct clock *clock, enum log_level level, enum log_format format, log_sink sink,
		    void *arg)
{
	struct log *l = mem_zalloc(sizeof(*l));

	l->clock = clock;
	l->level = level;
	l->format = format;
	l->sink = sink;
	l->arg = arg;
	buf_init(&l->line, LOG_LINE_BYTES);
	buf_init(&l->value, LOG_VALUE_BYTES);
	return l;
}

void log_set_level(struct log *l, enum log_level level)
{
	l->level = level;
}

bool log_enabled(const struct log *l, enum log_level level)
{
	return l && level <= l->level;
}

uint64_t log_suppressed(const struct log *l)
{
	return l->suppressed;
}

static void add_time(struct buf *b, int64_t wall_us)
{
	int64_t us = wall_us % (int64_t)CLOCK_US_PER_SEC;
	time_t sec = (time_t)(wall_us / (int64_t)CLOCK_US_PER_SEC);
	struct tm tm;
	char text[32];

	if (us < 0) {
		us += (int64_t)CLOCK_US_PER_SEC;
		sec--;
	}
	gmtime_r(&sec, &tm); /* no int64_t of microseconds is beyond its years */
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(b, "%s.%03dZ", text, (int)(us / 1000));
}

static bool needs_quotes(struct slice raw, struct slice printable)
{
	return raw.n == 0 || !slice_eq(raw, printable) || memchr(raw.p, ' ', raw.n) ||
	       memchr(raw.p, '=', raw.n);
}

static void add_text(struct log *l, struct slice raw)
{
	struct buf *b = &l->line;

	if (l->format == LOG_JSON) {
		buf_add_char(b, '"');
		enc_json(b, raw, LOG_VALUE_BYTES);
		buf_add_char(b, '"');
		return;
	}
	buf_clear(&l->value);
	enc_printable(&l->value, raw, LOG_VALUE_BYTES);
	if (needs_quotes(raw, buf_slice(&l->value))) {
		buf_add_char(b, '"');
		buf_add_slice(b, buf_slice(&l->value));
		buf_add_char(b, '"');
	} else {
		buf_add_slice(b, raw);
	}
}

static void add_key(struct log *l, const char *key)
{
	buf_printf(&l->line, l->format == LOG_JSON ? ",\"%s\":" : " %s=", key);
}

static void add_pair(struct log *l, const struct log_kv *kv)
{
	if (kv->type == LOG_KV_STR && !kv->s)
		return;
	add_key(l, kv->key);
	switch (kv->type) {
	case LOG_KV_STR: add_text(l, slice_str(kv->s)); break;
	case LOG_KV_SLICE: add_text(l, kv->sl); break;
	case LOG_KV_INT: buf_printf(&l->line, "%" PRId64, kv->i); break;
	case LOG_KV_UINT: buf_printf(&l->line, "%" PRIu64, kv->u); break;
	}
}

static void write_line(struct log *l, enum log_level level, const char *msg, const struct log_kv *kv)
{
	bool json = l->format == LOG_JSON;
	struct buf *b = &l->line;

	buf_clear(b);
	b->max = LOG_LINE_BYTES - LOG_TAIL_BYTES;
	buf_add_str(b, json ? "{\"ts\":\"" : "");
	add_time(b, clock_wall_us(l->clock));
	buf_printf(b, json ? "\",\"level\":\"%s\",\"msg\":" : " level=%s msg=", level_names[level]);
	add_text(l, slice_str(msg));
	for (; kv && kv->key; kv++) {
		size_t before = b->n;

		add_pair(l, kv);
		if (b->full) {
			/* a pair is there whole or not at all */
			b->n = before;
			b->full = false;
			b->max = LOG_LINE_BYTES;
			add_key(l, "cut");
			buf_add_str(b, "true");
			break;
		}
	}
	b->max = LOG_LINE_BYTES;
	buf_add_str(b, json ? "}\n" : "\n");
	l->sink(l->arg, (const char *)b->p, b->n);
}

/* Ends a period, telling what it suppressed. */
static void settle(struct log *l, struct limit *lim)
{
	uint64_t n = lim->suppressed;
	const char *msg = lim->msg;

	lim->msg = NULL;
	lim->written = lim->suppressed = 0;
	if (n) {
		l->unsettled--;
		write_line(l, lim->level, msg, (const struct log_kv[]){LU("repeated", n), {.key = NULL}});
	}
}

bool log_settle(struct log *l)
{
	uint64_t now;

	if (!l || l->unsettled == 0)
		return false;
	now = clock_mono_us(l->clock);
	for (struct limit *lim = l->limits; lim < l->limits + LOG_LIMIT_SLOTS; lim++)
		if (lim->suppressed && now - lim->since_us >= LOG_LIMIT_PERIOD)
			settle(l, lim);
	return l->unsettled > 0;
}

void log_free(struct log *l)
{
	if (!l)
		return;
	for (struct limit *lim = l->limits; lim < l->limits + LOG_LIMIT_SLOTS; lim++)
		settle(l, lim);
	buf_free(&l->line);
	buf_free(&l->value);
	free(l);
}

/* The slot of this kind of line; a kind not seen lately gets the slot of the one that began longest
 * ago. */
static struct limit *limit_of(struct log *l, enum log_level level, const char *msg, uint64_t now)
{
	struct limit *pick = l->limits;

	for (struct limit *lim = l->limits; lim < l->limits + LOG_LIMIT_SLOTS; lim++) {
		if (lim->msg == msg && lim->level == level)
			return lim;
		if (pick->msg && (!lim->msg || lim->since_us < pick->since_us))
			pick = lim;
	}
	settle(l, pick);
	pick->msg = msg;
	pick->level = level;
	pick->since_us = now;
	return pick;
}

static bool may_write(struct log *l, enum log_level level, const char *msg)
{
	uint64_t now = clock_mono_us(l->clock);
	struct limit *lim = limit_of(l, level, msg, now);

	if (now - lim->since_us >= LOG_LIMIT_PERIOD) {
		settle(l, lim);
		lim->msg = msg;
		lim->since_us = now;
	}
	if (lim->written < LOG_LIMIT_LINES) {
		lim->written++;
		return true;
	}
	if (lim->suppressed++ == 0)
		l->unsettled++;
	l->suppressed++;
	return false;
}

void log_emit(struct log *l, enum log_level level, const char *msg, const struct log_kv *kv)
{
	if (!log_enabled(l, level))
		return;
	log_settle(l);
	if (may_write(l, level, msg))
		write_line(l, level, msg, kv);
}
