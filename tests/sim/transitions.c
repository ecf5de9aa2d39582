/* Where the transitions go that the proxy makes in a test of the simulator: PROGRAM.made, which tests/lint/transitions reads.
 * A descriptor that is there already is somebody else's, who wants them all (contrib/dev/coverage.sh). */
#include "config.h" /* for program_invocation_name and dup3 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define TRACE_FD 198 /* STATE_TRACE in include.am */

static void __attribute__((constructor)) open_trace(void)
{
	char path[4096];
	int fd;

	if (fcntl(TRACE_FD, F_GETFD) >= 0)
		return;
	snprintf(path, sizeof(path), "%s.made", program_invocation_name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return; /* the lint will miss it */
	dup3(fd, TRACE_FD, O_CLOEXEC);
	close(fd);
}
