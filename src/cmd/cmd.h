/* The subcommands. */
#ifndef PGIAM_CMD_CMD_H
#define PGIAM_CMD_CMD_H

/* Exit codes, documented in pgiam(1). */
enum cmd_exit {
	CMD_OK = 0,
	CMD_FAILED = 1, /* what was asked for did not work */
	CMD_USAGE = 2,  /* wrong command line */
	CMD_CONFIG = 3, /* wrong configuration */
};

/* Runs the program; returns its exit code. */
int cmd_main(int argc, char **argv);

/* Each is called with its own name as argv[0], prints its help and returns CMD_OK for "--help", and returns
 * an exit code. A new one needs a row in the table of cmd.c. */
/* Serves until told to stop. CMD_USAGE and CMD_CONFIG for a wrong command line or configuration, CMD_FAILED if it
 * could not start (a port in use, ...) or had to abandon a worker that hung. */
int cmd_run(int argc, char **argv);
/* Tells what is wrong with a configuration, or what it would serve; `check --options` dumps the option table. */
int cmd_check(int argc, char **argv);
int cmd_token(int argc, char **argv);
int cmd_credentials(int argc, char **argv);

#endif
