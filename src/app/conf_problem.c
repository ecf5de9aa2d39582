#include "app/conf_problem.h"

#include <stdarg.h>
#include "base/buf.h"

static void tell(struct conf_problems *p, enum log_level level, const char *where, const char *text,
		 const char *hint)
{
	const struct conf_problem problem = {.level = level, .where = where, .text = text, .hint = hint};

	if (p->in->problem)
		p->in->problem(p->in->problem_arg, &problem);
	else
		log_at(p->log, level, "configuration", LS("where", *where ? where : NULL), LS("text", text),
		       LS("hint", *hint ? hint : NULL));
}

void conf_problem_error(struct conf_problems *p, const char *where, const char *name, struct err *e)
{
	if (name)
		err_prefix(e, "%s", name);
	tell(p, LOG_ERROR, where, e->msg, err_hint_text(e));
	if (p->errors++ == 0) {
		p->first = *e;
		if (*where)
			err_prefix(&p->first, "%s", where);
	}
}

void conf_problem_note(struct conf_problems *p, enum log_level level, const char *where, const char *fmt, ...)
{
	struct buf text;
	va_list ap;

	buf_init(&text, 4096);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	tell(p, level, where, buf_cstr(&text), "");
	buf_free(&text);
}
