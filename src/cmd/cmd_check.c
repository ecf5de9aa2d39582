/* Says everything that is wrong with a configuration, or what would be served. Opens no socket, asks no name
 * server and needs no credentials, so that it can run where a configuration is written. */
#include "config.h" /* for environ */
#include "cmd/cmd.h"
#include "cmd/cmd_problem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "app/conf.h"
#include "app/options.h"
#include "base/harden.h"

#define TEXT_MAX (4 * 1024 * 1024)

static const char usage_text[] =
	"usage: pgiam check [FILE] [OPTION]...\n"
	"\n"
	"Reads the configuration as `pgiam run` would, from FILE, the environment and the options, tells\n"
	"everything that is wrong with it, and, if nothing is, what would be served.\n"
	"Exit status: 0 good, 2 wrong command line, 3 wrong configuration.\n\n";

static int print(struct buf *text)
{
	fwrite(text->p, 1, text->n, stdout);
	buf_free(text);
	return CMD_OK;
}

int cmd_check(int argc, char **argv)
{
	const struct conf_input in = {
		.env = (const char *const *)environ,
		.argc = argc - 1,
		.argv = argv + 1,
		.problem = cmd_problem,
	};
	struct conf *conf;
	struct buf text;
	struct err e;

	buf_init(&text, TEXT_MAX);
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		buf_add_str(&text, usage_text);
		options_help(&text);
		return print(&text);
	}
	if (argc == 2 && strcmp(argv[1], "--options") == 0) { /* for tests/lint/options */
		options_dump(&text);
		return print(&text);
	}
	harden_process(NULL); /* a configuration may hold a password; failing that it can still be checked */
	if (conf_load(&in, NULL, &conf, &e) != 0) {
		buf_free(&text);
		return e.code == ERR_USAGE ? CMD_USAGE : CMD_CONFIG;
	}
	conf_describe(conf, &text);
	conf_unref(conf);
	return print(&text);
}
