/* Days are counted with years that begin in March, so that the leap day is the last of its year and the
 * lengths of the months before it follow one formula (H. Hinnant, "chrono-compatible low-level date
 * algorithms"). */
#include "aws/date.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include "base/rd.h"

#define US_PER_SEC INT64_C(1000000)
#define SEC_MAX    INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

struct civil {
	int64_t year;
	unsigned month, day, hour, minute, second;
};

static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = y / 400; /* years are positive here */
	unsigned of_era = (unsigned)(y - era * 400);
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct civil civil_from_wall(int64_t wall_us)
{
	int64_t sec = wall_us < 0 ? 0 : wall_us / US_PER_SEC;
	int64_t z, era;
	unsigned doe, yoe, doy, mp, sod;
	struct civil c;

	if (sec > SEC_MAX)
		sec = SEC_MAX;
	sod = (unsigned)(sec % 86400);
	z = sec / 86400 + 719468;
	era = z / 146097;
	doe = (unsigned)(z - era * 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	c.day = doy - (153 * mp + 2) / 5 + 1;
	c.month = mp < 10 ? mp + 3 : mp - 9;
	c.year = (int64_t)yoe + era * 400 + (c.month <= 2);
	c.hour = sod / 3600;
	c.minute = sod / 60 % 60;
	c.second = sod % 60;
	return c;
}

static unsigned month_days(int64_t year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && leap ? 29 : days[month - 1];
}

static unsigned digits(struct rd *r, size_t n)
{
	struct slice s = rd_bytes(r, n);
	unsigned v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			rd_fail(r);
		else
			v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	return v;
}

static unsigned char one_of(struct rd *r, const char *allowed)
{
	unsigned char c = rd_u8(r);

	if (c == 0 || !strchr(allowed, c))
		rd_fail(r);
	return c;
}

/* ".123": up to six digits count, more are dropped. Only called when a '.' is next. */
static unsigned fraction_us(struct rd *r)
{
	unsigned scale = 100000, us = 0;
	bool any = false;

	one_of(r, ".");
	while (r->left > 0 && *r->p >= '0' && *r->p <= '9') {
		us += digits(r, 1) * scale;
		scale /= 10;
		any = true;
	}
	if (!any)
		rd_fail(r);
	return us;
}

/* "hh:mm:ss" */
static void time_of_day(struct rd *r, struct civil *c)
{
	c->hour = digits(r, 2);
	one_of(r, ":");
	c->minute = digits(r, 2);
	one_of(r, ":");
	c->second = digits(r, 2);
}

/* "Z" or "+hh:mm": seconds east of Greenwich. */
static int64_t offset_sec(struct rd *r)
{
	unsigned char sign = one_of(r, "Zz+-");
	unsigned h, m;

	if (sign == 'Z' || sign == 'z' || !rd_ok(r))
		return 0;
	h = digits(r, 2);
	one_of(r, ":");
	m = digits(r, 2);
	if (h > 23 || m > 59)
		rd_fail(r);
	return (sign == '-' ? -1 : 1) * (int64_t)(h * 3600 + m * 60);
}

/* A word of three letters out of a list of such words run together: its place, from 0. */
static unsigned word_of(struct rd *r, const char *words)
{
	struct slice s = rd_bytes(r, 3);

	for (unsigned i = 0; s.n && words[3 * i]; i++) {
		if (memcmp(words + (size_t)3 * i, s.p, 3) == 0)
			return i;
	}
	rd_fail(r);
	return 0;
}

static void literal(struct rd *r, const char *text)
{
	if (!slice_eq_str(rd_bytes(r, strlen(text)), text))
		rd_fail(r);
}

/* Checks the fields' ranges; what they come to. */
static int wall_from_civil(const struct civil *c, int64_t east_sec, unsigned us, int64_t *wall_us)
{
	int64_t sec;

	if (c->year < 1970 || c->month < 1 || c->month > 12 || c->day < 1 ||
	    c->day > month_days(c->year, c->month))
		return -1;
	if (c->hour > 23 || c->minute > 59 || c->second > 60) /* a leap second counts as the next one */
		return -1;
	sec = days_from_civil(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 +
	      c->second;
	sec -= east_sec;
	if (sec < 0 || sec > SEC_MAX)
		return -1;
	*wall_us = sec * US_PER_SEC + us;
	return 0;
}

int date_parse_http(struct slice text, int64_t *wall_us)
{
	struct rd r = rd_init(text);
	struct civil c;

	word_of(&r, "MonTueWedThuFriSatSun");
	literal(&r, ", ");
	c.day = digits(&r, 2);
	literal(&r, " ");
	c.month = 1 + word_of(&r, "JanFebMarAprMayJunJulAugSepOctNovDec");
	literal(&r, " ");
	c.year = digits(&r, 4);
	literal(&r, " ");
	time_of_day(&r, &c);
	literal(&r, " GMT");
	return rd_end(&r) ? wall_from_civil(&c, 0, 0, wall_us) : -1;
}

int date_parse_rfc3339(struct slice text, int64_t *wall_us)
{
	struct rd r = rd_init(text);
	struct civil c;
	unsigned us = 0;
	int64_t east_sec;

	c.year = digits(&r, 4);
	one_of(&r, "-");
	c.month = digits(&r, 2);
	one_of(&r, "-");
	c.day = digits(&r, 2);
	one_of(&r, "Tt ");
	time_of_day(&r, &c);
	if (r.left > 0 && *r.p == '.')
		us = fraction_us(&r);
	east_sec = offset_sec(&r);
	return rd_end(&r) ? wall_from_civil(&c, east_sec, us, wall_us) : -1;
}

void date_format_amz(int64_t wall_us, char out[DATE_AMZ_SIZE])
{
	struct civil c = civil_from_wall(wall_us);

	snprintf(out, DATE_AMZ_SIZE, "%04u%02u%02uT%02u%02u%02uZ", (unsigned)c.year % 10000, c.month % 100,
		 c.day % 100, c.hour % 100, c.minute % 100, c.second % 100);
}

void date_format_rfc3339(int64_t wall_us, char out[DATE_RFC3339_SIZE])
{
	struct civil c = civil_from_wall(wall_us);

	snprintf(out, DATE_RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)c.year % 10000,
		 c.month % 100, c.day % 100, c.hour % 100, c.minute % 100, c.second % 100);
}

const char *date_of_end(int64_t wall_us, char out[DATE_RFC3339_SIZE])
{
	if (wall_us == 0)
		return NULL;
	date_format_rfc3339(wall_us, out);
	return out;
}

void date_format_span(int64_t us, char out[DATE_SPAN_SIZE])
{
	uint64_t s = (us < 0 ? 0 - (uint64_t)us : (uint64_t)us) / US_PER_SEC;

	if (s < 60)
		snprintf(out, DATE_SPAN_SIZE, "%" PRIu64 " s", s);
	else if (s < 3600)
		snprintf(out, DATE_SPAN_SIZE, "%" PRIu64 " min", s / 60);
	else if (s < 86400)
		snprintf(out, DATE_SPAN_SIZE, "%" PRIu64 " h %02" PRIu64 " min", s / 3600, s / 60 % 60);
	else
		snprintf(out, DATE_SPAN_SIZE, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
}
