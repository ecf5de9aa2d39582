/* UTC instants as text and back, by arithmetic: no time zone data, no static buffers, no locale.
 * Instants are microseconds since 1970-01-01 UTC. */
#ifndef PGIAM_AWS_DATE_H
#define PGIAM_AWS_DATE_H

#include <stdint.h>
#include "base/slice.h"

/* RFC 3339 ("2026-01-15T12:34:56Z", fraction and offset allowed; years 1970 to 9999). 0, or -1 if it is
 * anything else; nothing but the date may be in the text. */
int date_parse_rfc3339(struct slice text, int64_t *wall_us);

/* HTTP's preferred form ("Thu, 15 Jan 2026 12:34:56 GMT", RFC 9110 section 5.6.7), the weekday not compared
 * with the day. 0, or -1 if it is anything else. */
int date_parse_http(struct slice text, int64_t *wall_us);

/* "20260115T123456Z", as SigV4 writes it. The first 8 characters are the date of the scope. Instants outside
 * 1970 to 9999 are moved to the nearer end. */
#define DATE_AMZ_SIZE 17
void date_format_amz(int64_t wall_us, char out[DATE_AMZ_SIZE]);

/* "2026-01-15T12:34:56Z". */
#define DATE_RFC3339_SIZE 21
void date_format_rfc3339(int64_t wall_us, char out[DATE_RFC3339_SIZE]);

/* The same of an end, as a log field: out, or NULL for 0, which is none. */
const char *date_of_end(int64_t wall_us, char out[DATE_RFC3339_SIZE]);

/* A length of time for people: "45 s", "12 min", "3 h 05 min", "2 d 4 h". Negative counts as its absolute
 * value. */
#define DATE_SPAN_SIZE 32
void date_format_span(int64_t us, char out[DATE_SPAN_SIZE]);

#endif
