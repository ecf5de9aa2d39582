/* Numbers only: names are the resolver's. Printing takes whatever accept() gave, so it trusts the length and
 * nothing else (an unnamed unix peer has no path, an abstract one no NUL). */
#include "io/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static struct sockaddr_in *in4(struct addr *a)
{
	return (struct sockaddr_in *)&a->ss;
}

static struct sockaddr_in6 *in6(struct addr *a)
{
	return (struct sockaddr_in6 *)&a->ss;
}

static const struct sockaddr_in *in4_const(const struct addr *a)
{
	return (const struct sockaddr_in *)&a->ss;
}

static const struct sockaddr_in6 *in6_const(const struct addr *a)
{
	return (const struct sockaddr_in6 *)&a->ss;
}

/* "fe80::1%eth0": inet_pton knows no zones. */
static int parse_in6(const char *ip, struct sockaddr_in6 *out)
{
	const char *zone = strchr(ip, '%');
	char host[INET6_ADDRSTRLEN];
	size_t n = zone ? (size_t)(zone - ip) : strlen(ip);

	if (n >= sizeof(host))
		return -1;
	memcpy(host, ip, n);
	host[n] = '\0';
	if (inet_pton(AF_INET6, host, &out->sin6_addr) != 1)
		return -1;
	out->sin6_family = AF_INET6;
	if (zone)
		out->sin6_scope_id = if_nametoindex(zone + 1);
	return zone && out->sin6_scope_id == 0 ? -1 : 0;
}

int addr_parse(struct addr *a, const char *ip, uint16_t port)
{
	struct addr fresh = {.len = 0};

	if (inet_pton(AF_INET, ip, &in4(&fresh)->sin_addr) == 1) {
		in4(&fresh)->sin_family = AF_INET;
		fresh.len = sizeof(struct sockaddr_in);
	} else if (parse_in6(ip, in6(&fresh)) == 0) {
		fresh.len = sizeof(struct sockaddr_in6);
	} else {
		return -1;
	}
	*a = fresh;
	addr_set_port(a, port);
	return 0;
}

int addr_unix(struct addr *a, const char *path, struct err *e)
{
	struct addr fresh = {.len = 0};
	struct sockaddr_un *un = (struct sockaddr_un *)&fresh.ss;
	bool abstract = path[0] == '@';
	size_t n = strlen(path);

	if (n <= (abstract ? 1 : 0))
		return err_set(e, ERR_CONFIG, "the path of a unix socket is empty");
	if (n >= sizeof(un->sun_path))
		return err_set(e, ERR_CONFIG, "unix socket path \"%s\" is too long (maximum %zu bytes)", path,
			       sizeof(un->sun_path) - 1);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, n + 1);
	if (abstract)
		un->sun_path[0] = '\0';
	/* an abstract name is exactly as long as said, a path ends with its NUL */
	fresh.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (abstract ? 0 : 1));
	*a = fresh;
	return 0;
}

void addr_set_port(struct addr *a, uint16_t port)
{
	if (a->ss.ss_family == AF_INET)
		in4(a)->sin_port = htons(port);
	else if (a->ss.ss_family == AF_INET6)
		in6(a)->sin6_port = htons(port);
}

uint16_t addr_port(const struct addr *a)
{
	if (a->ss.ss_family == AF_INET)
		return ntohs(in4_const(a)->sin_port);
	return a->ss.ss_family == AF_INET6 ? ntohs(in6_const(a)->sin6_port) : 0;
}

bool addr_is_unix(const struct addr *a)
{
	return a->ss.ss_family == AF_UNIX;
}

bool addr_is_loopback(const struct addr *a)
{
	const struct in6_addr *v6 = &in6_const(a)->sin6_addr;

	switch (a->ss.ss_family) {
	case AF_UNIX: return true;
	case AF_INET: return ntohl(in4_const(a)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(v6) ||
		       (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
	default: return false;
	}
}

static void unix_text(const struct addr *a, char out[ADDR_TEXT])
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&a->ss;
	size_t head = offsetof(struct sockaddr_un, sun_path), n = a->len > head ? a->len - head : 0;

	if (n > sizeof(un->sun_path))
		n = sizeof(un->sun_path);
	if (n > 0 && un->sun_path[0] == '\0')
		snprintf(out, ADDR_TEXT, "unix:@%.*s", (int)(n - 1), un->sun_path + 1);
	else
		snprintf(out, ADDR_TEXT, "unix:%.*s", (int)n, un->sun_path);
}

const char *addr_host_text(const struct addr *a, char out[ADDR_TEXT])
{
	char host[INET6_ADDRSTRLEN], zone[IF_NAMESIZE] = "";
	const struct sockaddr_in6 *v6 = in6_const(a);

	out[0] = '\0';
	switch (a->ss.ss_family) {
	case AF_UNIX: snprintf(out, ADDR_TEXT, "[local]"); break;
	case AF_INET: inet_ntop(AF_INET, &in4_const(a)->sin_addr, out, ADDR_TEXT); break;
	case AF_INET6:
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		if (v6->sin6_scope_id && !if_indextoname(v6->sin6_scope_id, zone))
			snprintf(zone, sizeof(zone), "%u", v6->sin6_scope_id);
		snprintf(out, ADDR_TEXT, "%s%s%s", host, zone[0] ? "%" : "", zone);
		break;
	}
	return out;
}

const char *addr_text(const struct addr *a, char out[ADDR_TEXT])
{
	char host[ADDR_TEXT];

	if (addr_is_unix(a)) {
		unix_text(a, out);
		return out;
	}
	addr_host_text(a, host);
	snprintf(out, ADDR_TEXT, a->ss.ss_family == AF_INET6 ? "[%.*s]:%u" : "%.*s:%u", ADDR_TEXT - 10, host,
		 addr_port(a));
	return out;
}
