/* An endpoint's URL: what is taken has a host without anything that a second reader could see otherwise, and in the clear
 * a container's credentials are asked for nowhere but nearby. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "aws/container_host.h"
#include "aws/url.h"
#include "base/mem.h"
#include "io/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The URL and the address in it are judged alike. */
static void container(const struct url *u)
{
	bool ok = container_host_url_ok(u);
	struct addr a;

	if (addr_parse(&a, u->host, 0) == 0)
		assert(ok == (u->https || container_host_addr_ok((const struct sockaddr *)&a.ss)));
	else
		assert(ok == (u->https || strcmp(u->host, "localhost") == 0));
	assert(ok || !url_is_loopback(u));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size), again[URL_AUTHORITY_SIZE + 64];
	char authority[URL_AUTHORITY_SIZE];
	struct url u, v;
	struct err e;

	if (url_parse(text, "fuzz", &u, &e) == 0) {
		assert(u.host[0] && !strpbrk(u.host, "/@#?\\ %[]"));
		assert(u.port != 0);
		container(&u);
		url_authority(&u, authority);
		snprintf(again, sizeof(again), "%s://%s/", u.https ? "https" : "http", authority);
		assert(url_parse(again, "fuzz", &v, &e) == 0);
		assert(strcmp(u.host, v.host) == 0 && u.port == v.port && u.ipv6 == v.ipv6);
		assert(url_is_loopback(&u) == url_is_loopback(&v));
	}
	free(text);
	return 0;
}
