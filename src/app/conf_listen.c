/* Names other than localhost are not looked up: what a pooler listens on should not depend on DNS at its
 * start. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "app/conf_listen.h"
#include "app/options.h"
#include "base/mem.h"

static void add(struct conf_listen_list *l, const struct addr *a, bool optional)
{
	char text[ADDR_TEXT];

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].addr.len == a->len && memcmp(&l->v[i].addr.ss, &a->ss, a->len) == 0)
			return; /* said twice, as by localhost and 127.0.0.1 */
	l->v = mem_resize(l->v, (l->n + 1) * sizeof(*l->v));
	l->v[l->n++] = (struct conf_listen){
		.addr = *a, .text = mem_strdup(addr_text(a, text)), .optional = optional};
}

/* One host, in text without brackets. */
static int add_host(struct conf_listen_list *l, const char *host, uint16_t port, struct err *e)
{
	static const struct {
		const char *name, *ip4, *ip6;
	} words[] = {
		{"localhost", "127.0.0.1", "::1"},
                {"*",         "0.0.0.0",   "::" }
        };
	struct addr a;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(words[i].name, host) != 0)
			continue;
		addr_parse(&a, words[i].ip4, port);
		add(l, &a, false);
		addr_parse(&a, words[i].ip6, port);
		add(l, &a, true);
		return 0;
	}
	if (addr_parse(&a, host, port) != 0)
		return err_set(e, ERR_CONFIG, "\"%s\" is not an IP address, localhost or *", host);
	add(l, &a, false);
	return 0;
}

int conf_listen_add_hosts(struct conf_listen_list *l, const char *text, uint16_t port, struct err *e)
{
	struct slice item;

	while (options_item(&text, &item)) {
		char *host = slice_dup(item);
		int rc = add_host(l, host, port, e);
		free(host);
		if (rc != 0)
			return -1;
	}
	return 0;
}

static int take_port(const char *text, uint16_t *port)
{
	size_t n = strlen(text);
	long v;

	if (n == 0 || n > 5 || strspn(text, "0123456789") != n)
		return -1;
	v = strtol(text, NULL, 10);
	if (v < 1 || v > 65535)
		return -1;
	*port = (uint16_t)v;
	return 0;
}

/* Splits "host:port" or "[host]:port" in place. A port alone is the loopback addresses'. */
static int split(char *text, const char **host, uint16_t *port, struct err *e)
{
	char *colon = strrchr(text, ':');

	if (!colon) {
		*host = "localhost";
		if (take_port(text, port) == 0)
			return 0;
		return err_set(e, ERR_CONFIG, "\"%s\" is neither ADDRESS:PORT nor a port", text);
	}
	if (take_port(colon + 1, port) != 0)
		return err_set(e, ERR_CONFIG, "\"%s\": what is behind the last : is not a port", text);
	*colon = '\0';
	*host = text;
	if (text[0] == '[' && colon > text + 1 && colon[-1] == ']') {
		colon[-1] = '\0';
		*host = text + 1;
	} else if (strchr(text, ':')) {
		*colon = ':';
		return err_set(e, ERR_CONFIG, "\"%s\": an IPv6 address needs brackets, as in [::1]:5432",
			       text);
	}
	return 0;
}

int conf_listen_add_pairs(struct conf_listen_list *l, const char *text, struct err *e)
{
	struct slice item;

	while (options_item(&text, &item)) {
		char *copy = slice_dup(item);
		const char *host = NULL;
		uint16_t port;
		int rc = split(copy, &host, &port, e);
		if (rc == 0)
			rc = add_host(l, host, port, e);
		free(copy);
		if (rc != 0)
			return -1;
	}
	return 0;
}

int conf_listen_add_unix(struct conf_listen_list *l, const char *dir, uint16_t port, struct err *e)
{
	char *path;
	struct addr a;
	int rc;

	if (dir[0] != '/' && dir[0] != '@')
		return err_set(e, ERR_CONFIG, "\"%s\" is not an absolute path", dir);
	path = mem_printf("%s/.s.PGSQL.%u", dir, port);
	rc = addr_unix(&a, path, e);
	if (rc == 0) {
		add(l, &a, false);
		free(l->v[l->n - 1].text);
		l->v[l->n - 1].text = path;
		path = NULL;
	}
	free(path);
	return rc;
}

void conf_listen_free(struct conf_listen *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i].text);
	free(v);
}
