/* A failed allocation ends the process here, so that no caller carries a path that no test can
 * reach and that would be wrong the day it runs. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

static void *must(void *p, size_t n)
{
	if (!p) {
		fprintf(stderr, "pgiam: out of memory (%zu bytes wanted)\n", n);
		abort();
	}
	return p;
}

void *mem_alloc(size_t n)
{
	return must(malloc(n ? n : 1), n);
}

void *mem_zalloc(size_t n)
{
	return must(calloc(1, n ? n : 1), n);
}

void *mem_array(size_t count, size_t size)
{
	/* calloc itself refuses a product that overflows */
	return must(calloc(count ? count : 1, size ? size : 1), size ? SIZE_MAX / size : 0);
}

void *mem_resize(void *p, size_t n)
{
	return must(realloc(p, n ? n : 1), n);
}

char *mem_strdup(const char *s)
{
	return s ? mem_strndup(s, strlen(s)) : NULL;
}

char *mem_strndup(const char *s, size_t n)
{
	size_t len = s ? strnlen(s, n) : 0;
	char *copy = mem_alloc(len + 1);

	if (len)
		memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap, again;
	char *s;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0; /* only a wide-character conversion can fail, and we use none */
	s = mem_alloc((size_t)n + 1);
	s[0] = '\0';
	vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	return s;
}

void mem_wipe(void *p, size_t n)
{
	if (n)
		OPENSSL_cleanse(p, n);
}

void mem_free_wipe(void *p, size_t n)
{
	if (p)
		mem_wipe(p, n);
	free(p);
}

void mem_free_str_wipe(char *s)
{
	mem_free_wipe(s, s ? strlen(s) : 0);
}
