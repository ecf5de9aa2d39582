/* /proc/net/tcp gives the inode of the listening socket, /proc/PID/fd who has it open. */
#include "config.h"
#include "io/listener_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/enc.h"

#define LISTENER_STATE_LISTEN 10      /* TCP_LISTEN in /proc/net/tcp, in hexadecimal */
#define LISTENER_UNIX_LISTENS 0x10000 /* __SO_ACCEPTCON in /proc/net/unix, the same */

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

/* What a line of a table says about a socket that is in the way. */
struct found {
	unsigned long inode;
	long uid; /* -1: the table does not say */
};

/* "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...": words 1, 3, 7 and 9. A wildcard address is
 * in the way of every other. With listening false any socket that has the port: a connection that was given it as the
 * local end. */
static bool tcp_line(const char *line, const struct addr *a, bool listening, struct found *out)
{
	const char *local = word(line, 1), *state = word(line, 3), *uid = word(line, 7), *inode = word(line, 9);
	const char *colon = local ? strchr(local, ':') : NULL;
	char ours[33];

	if (!colon || !state || !inode || strtoul(colon + 1, NULL, 16) != addr_port(a) ||
	    (listening && strtoul(state, NULL, 16) != LISTENER_STATE_LISTEN))
		return false;
	kernel_hex(a, ours);
	if (!all_zero(local, (size_t)(colon - local)) && !all_zero(ours, strlen(ours)) &&
	    (strlen(ours) != (size_t)(colon - local) || strncmp(local, ours, strlen(ours)) != 0))
		return false;
	*out = (struct found){strtoul(inode, NULL, 10), strtol(uid, NULL, 10)};
	return out->inode != 0;
}

/* "Num RefCount Protocol Flags Type St Inode Path": words 3, 6 and 7. Connections that were accepted have the same path,
 * perhaps in another process. An abstract name's NUL is shown as @. */
static bool unix_line(const char *line, const struct addr *a, bool listening, struct found *out)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&a->ss;
	const char *flags = word(line, 3), *inode = word(line, 6), *name = word(line, 7);
	const char *path = un->sun_path[0] ? un->sun_path : un->sun_path + 1;
	size_t n = un->sun_path[0] ? strlen(path) : a->len - offsetof(struct sockaddr_un, sun_path) - 1;

	if (name && !un->sun_path[0] && *name++ != '@')
		return false;
	if (!inode || !name || strncmp(name, path, n) != 0 || (name[n] != '\n' && name[n] != '\0') ||
	    (listening && !(strtoul(flags, NULL, 16) & LISTENER_UNIX_LISTENS)))
		return false;
	*out = (struct found){strtoul(inode, NULL, 10), -1};
	return true;
}

static bool find_socket(const char *table, const struct addr *a, bool listening, struct found *out)
{
	char line[512];
	bool found = false;
	FILE *f = fopen(table, "re");

	while (f && !found && fgets(line, sizeof line, f))
		found = addr_is_unix(a) ? unix_line(line, a, listening, out) : tcp_line(line, a, listening, out);
	if (f)
		fclose(f);
	return found;
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

/* Its process cannot be seen: at least whose it is. The owner of a unix socket's file made the socket. */
static bool tell_user(const struct addr *a, struct found f, char out[LISTENER_OWNER_TEXT])
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&a->ss;
	struct passwd pw, *known = NULL;
	char buffer[4096];
	struct stat st;

	if (f.uid < 0 && addr_is_unix(a) && un->sun_path[0] && lstat(un->sun_path, &st) == 0)
		f.uid = st.st_uid;
	if (f.uid < 0)
		return false;
	if (getpwuid_r((uid_t)f.uid, &pw, buffer, sizeof buffer, &known) == 0 && known)
		snprintf(out, LISTENER_OWNER_TEXT, "a process of user %.40s (uid %ld)", known->pw_name, f.uid);
	else
		snprintf(out, LISTENER_OWNER_TEXT, "a process of uid %ld", f.uid);
	return true;
}

bool listener_owner(const struct addr *a, char out[LISTENER_OWNER_TEXT])
{
	static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6", "/proc/net/unix"};

	for (int listening = 1; listening >= 0; listening--)
		for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
			struct found f;

			if ((i == 2) != addr_is_unix(a) || !find_socket(tables[i], a, listening, &f))
				continue;
			if (find_process(f.inode, out) || tell_user(a, f, out))
				return true;
		}
	return false;
}
