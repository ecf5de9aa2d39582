/* What the parts of building a target ask of the database's settings, and how they tell of a wrong one. Knows none of them. */
#include "app/conf_build_target.h"

void conf_build_target_bad(struct targets *ts, enum option_id id, const char *hint, const char *fmt, ...)
{
	struct err e;
	struct buf text;
	va_list ap;

	buf_init(&text, 1024);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	err_set(&e, ERR_CONFIG, "%s", buf_cstr(&text));
	if (hint)
		err_hint(&e, "%s", hint);
	buf_free(&text);
	conf_builder_bad(ts->b, ts->db, id, &e);
	ts->failed = true;
}

void conf_build_target_warn(struct targets *ts, const char *fmt, ...)
{
	struct buf text;
	va_list ap;

	buf_init(&text, 1024);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	conf_problem_note(ts->b->p, LOG_WARNING, ts->db->where, "database \"%s\": %s", ts->db->name,
			  buf_cstr(&text));
	buf_free(&text);
}

const char *conf_build_target_text(const struct targets *ts, enum option_id id)
{
	return conf_builder_text(ts->b, ts->db, id);
}

uint64_t conf_build_target_num(const struct targets *ts, enum option_id id)
{
	return (uint64_t)conf_builder_num(ts->b, ts->db, id);
}
