/* What the program is asked to do stands in one table: dispatch, the overview and `help NAME` read it. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>
#include "config.h"

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct command {
	const char *name, *alias, *help;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"run",         NULL,        "serve: accept clients, log in to the databases",            cmd_run        },
	{"check",       NULL,        "say what is wrong with a configuration, or what it serves", cmd_check      },
	{"token",       NULL,        "print a login token for an RDS database",                   cmd_token      },
	{"credentials", NULL,        "say which AWS credentials are found, and whose they are",   cmd_credentials},
	{"help",        "--help",    "this overview; `pgiam help NAME` tells about a command",    cmd_help       },
	{"version",     "--version", "print the version",                                         cmd_version    },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct {
	const char *flag, *command;
} short_flags[] = {
	{"-h", "help"   },
        {"-V", "version"}
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(short_flags) / sizeof(short_flags[0]); i++) {
		if (strcmp(name, short_flags[i].flag) == 0)
			name = short_flags[i].command;
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(name, commands[i].name) == 0 ||
		    (commands[i].alias && strcmp(name, commands[i].alias) == 0))
			return &commands[i];
	}
	return NULL;
}

static int unknown(const char *name)
{
	fprintf(stderr, "pgiam: %s is not a command; `pgiam help` lists them\n", name);
	return CMD_USAGE;
}

static void overview(FILE *f)
{
	fputs("pgiam - PostgreSQL sidecar that logs in to Amazon RDS with IAM tokens\n\n"
	      "usage: pgiam COMMAND [OPTION]...\n\n",
	      f);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(f, "  %-12s %s\n", commands[i].name, commands[i].help);
	fputs("\nexit status: 0 done, 1 did not work, 2 wrong command line, 3 wrong configuration\n", f);
}

static int cmd_help(int argc, char **argv)
{
	char option[] = "--help";
	const struct command *c;

	if (argc < 2) {
		overview(stdout);
		return CMD_OK;
	}
	c = find(argv[1]);
	if (!c)
		return unknown(argv[1]);
	if (c->run == cmd_help || c->run == cmd_version) {
		printf("pgiam %s: %s\n", c->name, c->help);
		return CMD_OK;
	}
	return c->run(2, (char *[]){argv[1], option, NULL});
}

static int cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts(PACKAGE_NAME " " PACKAGE_VERSION);
	return CMD_OK;
}

int cmd_main(int argc, char **argv)
{
	const struct command *c;
	int rc;

	if (argc < 2) {
		overview(stderr);
		return CMD_USAGE;
	}
	c = find(argv[1]);
	if (!c)
		return unknown(argv[1]);
	rc = c->run(argc - 1, argv + 1);
	/* A full disk behind stdout must not pass for success. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("pgiam: standard output");
		return rc == CMD_OK ? CMD_FAILED : rc;
	}
	return rc;
}
