#include "cmd/cmd_problem.h"

#include <stdio.h>

void cmd_problem(void *arg, const struct conf_problem *p)
{
	static const char *const words[] = {[LOG_ERROR] = "error: ",
					    [LOG_WARNING] = "warning: ",
					    [LOG_INFO] = "note: ",
					    [LOG_DEBUG] = ""};

	(void)arg;
	fprintf(stderr, "%s%s%s%s\n", words[p->level], p->where, p->where[0] ? ": " : "", p->text);
	if (p->hint[0])
		fprintf(stderr, "       %s\n", p->hint);
}
