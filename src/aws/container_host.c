/* Addresses are compared as addresses. A comparison of texts would take "169.254.170.23.example.com" for one
 * of EKS's. */
#include "aws/container_host.h"

#include <netinet/in.h>
#include <string.h>
#include "io/addr.h"

static bool same(const struct addr *a, const struct addr *b)
{
	if (a->ss.ss_family != b->ss.ss_family)
		return false;
	if (a->ss.ss_family == AF_INET)
		return ((const struct sockaddr_in *)&a->ss)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)&b->ss)->sin_addr.s_addr;
	return a->ss.ss_family == AF_INET6 &&
	       memcmp(&((const struct sockaddr_in6 *)&a->ss)->sin6_addr,
		      &((const struct sockaddr_in6 *)&b->ss)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

static bool allowed(const struct addr *a)
{
	static const char *const known[] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23"};
	struct addr b;

	if (addr_is_loopback(a))
		return true;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (addr_parse(&b, known[i], 0) == 0 && same(a, &b))
			return true;
	}
	return false;
}

bool container_host_url_ok(const struct url *u)
{
	struct addr a;

	if (u->https || strcmp(u->host, "localhost") == 0)
		return true;
	return addr_parse(&a, u->host, 0) == 0 && allowed(&a);
}

bool container_host_addr_ok(const struct sockaddr *to)
{
	struct addr a = {.len = 0};

	if (to->sa_family == AF_INET)
		a.len = sizeof(struct sockaddr_in);
	else if (to->sa_family == AF_INET6)
		a.len = sizeof(struct sockaddr_in6);
	else
		return false;
	memcpy(&a.ss, to, a.len);
	return allowed(&a);
}
