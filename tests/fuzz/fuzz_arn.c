/* Names and ARNs that people write: secrets_manager_id, identity_check_role, redshift_name_ok. What is taken can stand in
 * JSON, in a form and in a log as it is, and an ARN's region is its fourth field. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "aws/identity.h"
#include "aws/redshift.h"
#include "aws/secrets_manager.h"
#include "base/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_region(const char *arn, const char *region)
{
	const char *field = arn;

	for (int i = 0; i < 3; i++)
		field = strchr(field, ':') + 1;
	assert(strncmp(field, region, strlen(region)) == 0 && field[strlen(region)] == ':');
	assert(region[strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0');
}

static void judge_text(const char *s)
{
	assert(s[0] && !strpbrk(s, "\"\\&% "));
	for (; *s; s++)
		assert(*s > ' ' && *s <= '~');
}

/* A word, or labels of a domain name. */
static void judge_name(const char *s)
{
	size_t n = strlen(s);

	judge_text(s);
	assert(n <= (strchr(s, '.') ? 253 : 64));
	assert(s[0] != '.' && s[n - 1] != '.' && !strstr(s, "..") && !strstr(s, "-.") && !strstr(s, ".-"));
	assert(!strchr(s, '.') || s[strspn(s, "0123456789.")]); /* no IP address */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = slice_dup(slice_of(data, size)), region[64];
	struct err e;

	if (secrets_manager_id(text, region, &e) == 0) {
		judge_text(text);
		assert((region[0] != '\0') == (strncmp(text, "arn:", 4) == 0));
		if (region[0])
			judge_region(text, region);
	} else {
		assert(e.code == ERR_CONFIG && e.msg[0]);
	}
	if (redshift_name_ok(text))
		judge_name(text);
	if (identity_check_role(text, &e) == 0)
		assert(strncmp(text, "arn:", 4) == 0 && strstr(text, ":role/"));
	free(text);
	return 0;
}
