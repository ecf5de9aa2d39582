/* /proc/net/tcp gives the inode of the listening socket, /proc/PID/fd who has it open. */
#include "config.h"
#include "io/listener_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/enc.h"

#define LISTENER_STATE_LISTEN 10 /* TCP_LISTEN in /proc/net/tcp, in hexadecimal */

/* The n-th word of a line, counted from 0; NULL if there are fewer. */
static const char *word(const char *line, int n)
{
	for (;; n--) {
		line += strspn(line, " \n");
		if (n == 0 || !*line)
			return *line ? line : NULL;
		line += strcspn(line, " \n");
	}
}

/* An address as the kernel's tables have it: native words in hexadecimal. */
static void kernel_hex(const struct addr *a, char out[33])
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->ss;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->ss;
	uint32_t w[4];

	if (a->ss.ss_family == AF_INET) {
		snprintf(out, 33, "%08X", in->sin_addr.s_addr);
		return;
	}
	memcpy(w, &in6->sin6_addr, sizeof w);
	snprintf(out, 33, "%08X%08X%08X%08X", w[0], w[1], w[2], w[3]);
}

static bool all_zero(const char *hex, size_t n)
{
	return strspn(hex, "0") >= n;
}

/* "sl local_address rem_address st ...": words 1, 3 and 9. A wildcard address is in the way of every other.
 */
static unsigned long tcp_inode(const char *line, const struct addr *a)
{
	const char *local = word(line, 1), *state = word(line, 3), *inode = word(line, 9);
	const char *colon = local ? strchr(local, ':') : NULL;
	char ours[33];

	if (!colon || !state || !inode || strtoul(colon + 1, NULL, 16) != addr_port(a) ||
	    strtoul(state, NULL, 16) != LISTENER_STATE_LISTEN)
		return 0;
	kernel_hex(a, ours);
	if (!all_zero(local, (size_t)(colon - local)) && !all_zero(ours, strlen(ours)) &&
	    (strlen(ours) != (size_t)(colon - local) || strncmp(local, ours, strlen(ours)) != 0))
		return 0;
	return strtoul(inode, NULL, 10);
}

/* "Num RefCount Protocol Flags Type St Inode Path": words 6 and 7. */
static unsigned long unix_inode(const char *line, const char *path)
{
	const char *inode = word(line, 6), *name = word(line, 7);
	size_t n = strlen(path);

	if (!inode || !name || strncmp(name, path, n) != 0 || (name[n] != '\n' && name[n] != '\0'))
		return 0;
	return strtoul(inode, NULL, 10);
}

static unsigned long find_inode(const char *table, const struct addr *a)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&a->ss;
	char line[512];
	unsigned long inode = 0;
	FILE *f = fopen(table, "re");

	while (f && inode == 0 && fgets(line, sizeof line, f))
		inode = addr_is_unix(a) ? unix_inode(line, un->sun_path) : tcp_inode(line, a);
	if (f)
		fclose(f);
	return inode;
}

static bool has_open(const char *pid, const char *wanted)
{
	char path[64], link[64];
	struct dirent *de;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%.16s/fd", pid);
	dir = opendir(path);
	while (dir && !found && (de = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), de->d_name, link, sizeof link - 1);

		if (n > 0) {
			link[n] = '\0';
			found = strcmp(link, wanted) == 0;
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

static void tell(const char *pid, char out[LISTENER_OWNER_TEXT])
{
	char path[64], comm[64] = "?";
	struct buf b;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%.16s/comm", pid);
	f = fopen(path, "re");
	if (f && fgets(comm, sizeof comm, f))
		comm[strcspn(comm, "\n")] = '\0';
	if (f)
		fclose(f);
	/* Any process may call itself anything. */
	buf_init(&b, 256);
	enc_printable(&b, slice_str(comm), 48);
	snprintf(out, LISTENER_OWNER_TEXT, "%.60s (pid %.16s)", buf_cstr(&b), pid);
	buf_free(&b);
}

static bool find_process(unsigned long inode, char out[LISTENER_OWNER_TEXT])
{
	char wanted[48];
	struct dirent *de;
	bool found = false;
	DIR *proc = opendir("/proc");

	snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
	while (proc && !found && (de = readdir(proc))) {
		found = isdigit((unsigned char)de->d_name[0]) && has_open(de->d_name, wanted);
		if (found)
			tell(de->d_name, out);
	}
	if (proc)
		closedir(proc);
	return found;
}

bool listener_owner(const struct addr *a, char out[LISTENER_OWNER_TEXT])
{
	static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6", "/proc/net/unix"};

	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		unsigned long inode;

		if ((i == 2) != addr_is_unix(a))
			continue;
		inode = find_inode(tables[i], a);
		if (inode && find_process(inode, out))
			return true;
	}
	return false;
}
