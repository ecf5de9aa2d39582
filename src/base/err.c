/* Messages are cut at a character, so that what reaches a client or a JSON log stays UTF-8. */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

#define AGAIN_US UINT64_C(10000000)

static const struct err_info table[ERR_CODE_COUNT] = {
#define X(code, sqlstate, label, class, hint) [code] = {#code, sqlstate, label, ERR_CLASS_##class, hint},
	ERR_TABLE(X)
#undef X
};

const struct err_info *err_info(enum err_code code)
{
	return &table[(unsigned)code < ERR_CODE_COUNT ? code : ERR_INTERNAL];
}

/* The first that fits. Any other SQLSTATE is about who wants in, and where. */
static const struct {
	const char *prefix;
	enum err_class class;
} sqlstates[] = {
	{"53",    ERR_CLASS_FULL    }, /* insufficient resources */
	{"57014", ERR_CLASS_BUSY    }, /* authentication timed out */
	{"57P01", ERR_CLASS_AWAY    }, /* administrator's command, ... */
	{"57P02", ERR_CLASS_AWAY    }, /* ... or a crash of another session ended this one */
	{"57P03", ERR_CLASS_STARTING}, /* cannot connect now */
	{"57",    ERR_CLASS_FINAL   }, /* operator intervention */
	{"58",    ERR_CLASS_FINAL   }, /* system error */
	{"XX",    ERR_CLASS_FINAL   }, /* internal error */
	{"08",    ERR_CLASS_FINAL   }, /* a proxy on the way that has lost its server */
};

enum err_class err_class(const struct err *e)
{
	if (e->code != ERR_LOGIN_REFUSED || !e->from_server)
		return err_info(e->code)->class;
	for (size_t i = 0; i < sizeof(sqlstates) / sizeof(*sqlstates); i++)
		if (strncmp(e->sqlstate, sqlstates[i].prefix, strlen(sqlstates[i].prefix)) == 0)
			return sqlstates[i].class;
	return ERR_CLASS_REFUSED;
}

bool err_is_private(const struct err *e)
{
	return e->from_server || e->code == ERR_CREDENTIALS || e->code == ERR_CREDENTIALS_AWAY || e->code == ERR_REGION;
}

/* Takes back the beginning of a character that did not fit. */
static void cut_partial_character(char *s)
{
	size_t n = strlen(s), i = n;

	while (i > 0 && n - i < 3 && ((unsigned char)s[i - 1] & 0xc0) == 0x80)
		i--;
	if (i > 0 && (unsigned char)s[i - 1] >= 0xc0) {
		unsigned char lead = (unsigned char)s[i - 1];
		size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

		if (n - (i - 1) < want)
			s[i - 1] = '\0';
	}
}

static void format(char *out, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(out, size, fmt, ap);

	if (n < 0)
		out[0] = '\0';
	else if ((size_t)n >= size)
		cut_partial_character(out);
}

bool err_is_news(const struct err *e, const struct err *last, uint64_t now_us, uint64_t *told_us)
{
	if (last && last->code == e->code && strcmp(last->msg, e->msg) == 0 && now_us < *told_us + AGAIN_US)
		return false;
	*told_us = now_us;
	return true;
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	struct err fresh;
	va_list ap;

	if (!e)
		return -1;
	/* built aside: the arguments may be e's own texts */
	err_recode(&fresh, code);
	fresh.from_server = false;
	va_start(ap, fmt);
	format(fresh.msg, sizeof(fresh.msg), fmt, ap);
	va_end(ap);
	memset(fresh.detail, 0, sizeof(fresh.detail));
	memset(fresh.hint, 0, sizeof(fresh.hint));
	*e = fresh;
	return -1;
}

void err_recode(struct err *e, enum err_code code)
{
	e->code = code;
	memcpy(e->sqlstate, err_info(code)->sqlstate, sizeof(e->sqlstate));
}

/* Puts a and b with sep between them into out (size bytes, may hold b or a itself). */
static void join(char *out, size_t size, const char *a, const char *sep, const char *b)
{
	char both[2048];
	size_t n;

	snprintf(both, sizeof(both), "%s%s%s", a, sep, b);
	n = strlen(both);
	if (n >= size) {
		both[size - 1] = '\0';
		cut_partial_character(both);
		n = strlen(both);
	}
	memcpy(out, both, n + 1);
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char context[sizeof(e->msg)];
	va_list ap;

	if (!e)
		return -1;
	va_start(ap, fmt);
	format(context, sizeof(context), fmt, ap);
	va_end(ap);
	join(e->msg, sizeof(e->msg), context, ": ", e->msg);
	return -1;
}

void err_detail(struct err *e, const char *fmt, ...)
{
	char sentence[sizeof(e->detail)];
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	format(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	join(e->detail, sizeof(e->detail), e->detail, e->detail[0] ? " " : "", sentence);
}

void err_hint(struct err *e, const char *fmt, ...)
{
	char hint[sizeof(e->hint)] = ""; /* built aside: the arguments may be e's own texts */
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	format(hint, sizeof(hint), fmt, ap);
	va_end(ap);
	memcpy(e->hint, hint, sizeof(hint));
}

const char *err_hint_text(const struct err *e)
{
	const char *hint = e->hint[0] ? e->hint : err_info(e->code)->hint;

	return hint ? hint : "";
}
