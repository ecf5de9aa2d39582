/* /proc/net/tcp gives the inode of the listening socket, /proc/PID/fd who has it open. */
#include "config.h"
#include "io/listener_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* "sl local_address rem_address st ...": words 1, 3 and 9. */
static unsigned long tcp_inode(const char *line, uint16_t port)
{
	const char *local = word(line, 1), *state = word(line, 3), *inode = word(line, 9);
	const char *colon = local ? strchr(local, ':') : NULL;

	if (!colon || !state || !inode || strtoul(colon + 1, NULL, 16) != port ||
	    strtoul(state, NULL, 16) != LISTENER_STATE_LISTEN)
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
		inode = addr_is_unix(a) ? unix_inode(line, un->sun_path) : tcp_inode(line, addr_port(a));
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
