/* Loads the configuration and hands over. What loading has to say waits until it is known where and how to
 * log; if it is refused, people read stderr. */
#include "config.h" /* for environ */
#include "cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "app/conf.h"
#include "app/control.h"
#include "app/options.h"
#include "base/mem.h"

#define HELP_MAX (1u << 20)

static const char usage_text[] =
	"usage: pgiam run [FILE] [OPTION]...\n"
	"       pgiam run --host mydb.abc123.us-east-1.rds.amazonaws.com\n"
	"\n"
	"Serves clients until told to stop. Options win over the environment, the environment over FILE.\n"
	"SIGTERM lets transactions finish for shutdown_timeout, SIGINT for 2 seconds; SIGQUIT and second "
	"signals stop at\n"
	"once. `pgiam check` tells what would be served.\n"
	"Exit status: 0 stopped as told, 1 could not start, 2 wrong command line, 3 wrong configuration.\n\n";

struct problems {
	struct conf_problem *p;
	size_t count;
};

static void on_problem(void *arg, const struct conf_problem *p)
{
	struct problems *all = arg;

	all->p = mem_resize(all->p, (all->count + 1) * sizeof all->p[0]);
	all->p[all->count++] = (struct conf_problem){.level = p->level,
						     .where = mem_strdup(p->where),
						     .text = mem_strdup(p->text),
						     .hint = mem_strdup(p->hint)};
}

static void problems_free(struct problems *all)
{
	for (size_t i = 0; i < all->count; i++) {
		free((void *)(uintptr_t)all->p[i].where);
		free((void *)(uintptr_t)all->p[i].text);
		free((void *)(uintptr_t)all->p[i].hint);
	}
	free(all->p);
}

static void problems_print(const struct problems *all)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct conf_problem *p = &all->p[i];

		fprintf(stderr, "%s: %s%s%s\n", p->level == LOG_ERROR ? "error" : "warning", p->where,
			p->where[0] ? ": " : "", p->text);
		if (p->hint[0])
			fprintf(stderr, "       %s\n", p->hint);
	}
}

static int help(void)
{
	struct buf text;

	buf_init(&text, HELP_MAX);
	buf_add_str(&text, usage_text);
	options_help(&text);
	fwrite(text.p, 1, text.n, stdout);
	buf_free(&text);
	return CMD_OK;
}

int cmd_run(int argc, char **argv)
{
	const char *const *env = (const char *const *)environ;
	struct problems problems = {0};
	struct inherited inherited;
	struct conf *conf = NULL;
	struct err e = {0};
	int exit_code = CMD_OK;
	const struct conf_input in = {
		.env = env,
		.argc = argc - 1,
		.argv = argv + 1,
		.problem = on_problem,
		.problem_arg = &problems,
	};

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return help();
	inherited_take(&inherited, environ);
	if (control_prepare(&e) < 0) {
		fprintf(stderr, "error: %s\n", e.msg);
		exit_code = CMD_FAILED;
		goto out;
	}
	if (conf_load(&in, NULL, &conf, &e) < 0) {
		problems_print(&problems);
		exit_code = e.code == ERR_USAGE ? CMD_USAGE : CMD_CONFIG;
		goto out;
	}
	if (control_run(&(struct control_opts){.conf = conf,
					       .env = env,
					       .problems = problems.p,
					       .problem_count = problems.count,
					       .inherited = &inherited},
			&e) < 0)
		exit_code = CMD_FAILED; /* it has said why */
	conf_unref(conf);
out:
	problems_free(&problems);
	inherited_free(&inherited);
	return exit_code;
}
