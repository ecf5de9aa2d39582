/* Descriptors 3 and up, as many as LISTEN_FDS says, if LISTEN_PID is this process (sd_listen_fds(3)). What is wrong is kept
 * until there is a log to tell it to. */
#include "app/inherited.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"

#define FIRST_FD 3
#define MAX_FDS  256

static const char *const variables[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"};

/* Copies the variable's value, or NULL, and takes it out: in place, so that environ(7) itself changes. */
static char *take_variable(char **env, const char *name)
{
	size_t n = strlen(name);
	char *value = NULL, **to = env;

	for (char **from = env; *from; from++) {
		if (strncmp(*from, name, n) != 0 || (*from)[n] != '=') {
			*to++ = *from;
		} else if (!value) {
			value = mem_strdup(*from + n + 1);
		}
	}
	*to = NULL;
	return value;
}

/* A positive number of up to nine digits; -1 if it is something else. */
static long number(const char *text)
{
	size_t n = strlen(text);

	return n == 0 || n > 9 || strspn(text, "0123456789") != n ? -1 : strtol(text, NULL, 10);
}

/* Names with : between, in the order of the descriptors. */
static void take_descriptors(struct inherited *in, long count, const char *names)
{
	in->n = (size_t)count;
	in->v = mem_array(in->n, sizeof(in->v[0]));
	for (size_t i = 0; i < in->n; i++) {
		size_t n = strcspn(names, ":");
		int fd = FIRST_FD + (int)i, flags = fcntl(fd, F_GETFD);

		in->v[i] = (struct inherited_fd){
			.fd = fd,
			.name = mem_strndup(names, n),
			.open = flags >= 0 && fcntl(fd, F_SETFD, flags | FD_CLOEXEC) == 0,
		};
		names += names[n] ? n + 1 : n;
	}
}

void inherited_take(struct inherited *in, char **env)
{
	char *value[4];
	long count;

	*in = (struct inherited){0};
	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
		value[i] = take_variable(env, variables[i]);
	if (value[0] && value[1]) {
		count = number(value[1]);
		if (number(value[0]) != getpid())
			in->not_ours = mem_strdup(value[0]);
		else if (count < 0 || count > MAX_FDS)
			in->malformed = mem_strdup(value[1]);
		else
			take_descriptors(in, count, value[2] ? value[2] : "");
	}
	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
		free(value[i]);
}

void inherited_free(struct inherited *in)
{
	for (size_t i = 0; i < in->n; i++)
		free(in->v[i].name);
	free(in->v);
	free(in->not_ours);
	free(in->malformed);
	*in = (struct inherited){0};
}

static int check(const struct inherited_fd *f, bool http, const struct conf *c, struct addr *a, struct err *e)
{
	if (!f->open)
		return err_set(e, ERR_CONFIG, "descriptor %d is not open", f->fd);
	if (listener_adopt(f->fd, a, e) < 0)
		return -1;
	if (!http)
		return conf_may_listen(c, a, e);
	if (addr_is_unix(a))
		return err_set(e, ERR_CONFIG, "descriptor %d: metrics are served over TCP only", f->fd);
	return 0;
}

int inherited_sort(struct inherited *in, const struct conf *c, struct sockets *clients, struct sockets *http, struct err *e)
{
	if (in->malformed) {
		err_set(e, ERR_CONFIG, "LISTEN_FDS is \"%.40s\", which is no number of sockets up to %d", in->malformed,
			MAX_FDS);
		return -1;
	}
	for (size_t i = 0; i < in->n; i++) {
		const struct inherited_fd *f = &in->v[i];
		bool is_http = strcmp(f->name, "http") == 0;
		struct addr a;

		if (check(f, is_http, c, &a, e) < 0)
			return err_prefix(e, "socket %zu passed on by the service manager (\"%.40s\")", i + 1, f->name);
		sockets_add(is_http ? http : clients, f->fd, &a);
	}
	return 0;
}
