/* Structured logging: one event a line, as key=value or JSON. A struct log belongs to one
 * thread; it formats and hands the line to its sink, which never blocks (io/log_writer.h).
 * Values that come from a peer are escaped and cut here. Never pass a secret. */
#ifndef PGIAM_BASE_LOG_H
#define PGIAM_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/slice.h"

struct err;

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_KEY_VALUE, LOG_JSON };

/* Takes one complete line, newline included; borrowed during the call. */
typedef void (*log_sink)(void *arg, const char *line, size_t n);

struct log_kv {
	const char *key; /* NULL ends the list */
	enum { LOG_KV_STR, LOG_KV_SLICE, LOG_KV_INT, LOG_KV_UINT } type;
	union {
		const char *s;
		struct slice sl;
		int64_t i;
		uint64_t u;
	};
};

#define LS(k, v) {.key = (k), .type = LOG_KV_STR, .s = (v)}           /* NULL is left out */
#define LB(k, v) {.key = (k), .type = LOG_KV_SLICE, .sl = (v)}        /* bytes from a peer */
#define LI(k, v) {.key = (k), .type = LOG_KV_INT, .i = (int64_t)(v)}
#define LU(k, v) {.key = (k), .type = LOG_KV_UINT, .u = (uint64_t)(v)}

struct log;

struct log *log_new(const struct clock *clock, enum log_level level, enum log_format format, log_sink sink,
                    void *arg) __attribute__((returns_nonnull));
void log_free(struct log *l);
void log_set_level(struct log *l, enum log_level level);
bool log_enabled(const struct log *l, enum log_level level);

/* Lines not written because their (level, msg) repeated too fast. */
uint64_t log_suppressed(const struct log *l);

/* Writes the "repeated=N" lines of bursts that are over. True if one is still on: call again in about a
 * second (io/loop.h does). l may be NULL. */
bool log_settle(struct log *l);

/* Writes one line: ts, level, msg, then the pairs in order. `msg` is a literal: it names the
 * event, varying parts go into pairs. l may be NULL (nothing happens). At most ~10 lines a second
 * of one (level, msg), the rest is counted and summed up in a later line (repeated=N). Values are cut at 1 KB,
 * lines at 16 KB (then they end in cut=true). */
void log_emit(struct log *l, enum log_level level, const char *msg, const struct log_kv *kv);

/* log_info(l, "client connected", LS("database", db), LU("clients", n)); */
#define log_at(l, level, msg, ...)                                                                            \
	log_emit((l), (level), (msg), (const struct log_kv[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}})
#define log_error(l, msg, ...)   log_at(l, LOG_ERROR, msg, __VA_ARGS__)
#define log_warning(l, msg, ...) log_at(l, LOG_WARNING, msg, __VA_ARGS__)
#define log_info(l, msg, ...)    log_at(l, LOG_INFO, msg, __VA_ARGS__)
#define log_debug(l, msg, ...)                                                                                \
	do {                                                                                                  \
		if (log_enabled((l), LOG_DEBUG))                                                              \
			log_at(l, LOG_DEBUG, msg, __VA_ARGS__);                                               \
	} while (0)

/* The pairs for an error: error, sqlstate, code, detail, hint. */
#define LERR(e)                                                                                               \
	LS("error", (e)->msg), LS("sqlstate", (e)->sqlstate), LS("cause", err_info((e)->code)->label),        \
		LS("detail", (e)->detail[0] ? (e)->detail : NULL),                                            \
		LS("hint", err_hint_text(e)[0] ? err_hint_text(e) : NULL)

#endif
