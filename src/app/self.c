/* From the kernel, not kept: read when somebody asks. */
#include "app/self.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

uint64_t self_raise_nofile(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return 0;
	if (r.rlim_cur < r.rlim_max) {
		struct rlimit more = {.rlim_cur = r.rlim_max, .rlim_max = r.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			r = more;
	}
	return r.rlim_cur;
}

/* The second number of statm: pages resident. */
static uint64_t resident_bytes(void)
{
	char text[128], *end;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	(void)strtoull(text, &end, 10);
	return strtoull(end, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (d == NULL)
		return 0;
	for (const struct dirent *it; (it = readdir(d));)
		n += it->d_name[0] != '.';
	closedir(d);
	return n ? n - 1 : 0; /* the directory's own */
}

static uint64_t timeval_us(struct timeval tv)
{
	return (uint64_t)tv.tv_sec * 1000000 + (uint64_t)tv.tv_usec;
}

void self_usage(struct self_usage *out)
{
	struct rusage ru;
	struct rlimit r;

	*out = (struct self_usage){.resident_bytes = resident_bytes(), .open_fds = open_fds()};
	if (getrusage(RUSAGE_SELF, &ru) == 0)
		out->cpu_us = timeval_us(ru.ru_utime) + timeval_us(ru.ru_stime);
	if (getrlimit(RLIMIT_NOFILE, &r) == 0)
		out->max_fds = r.rlim_cur;
}
