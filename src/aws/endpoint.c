/* A name is matched label by label against a table of shapes, and not by a search for a suffix: anchoring at
 * both ends is what keeps "x.us-east-1.rds.amazonaws.com.attacker.example" out. */
#include "aws/endpoint.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/slice.h"

#define HOST_MAX 253 /* RFC 1035, as text */

static const char *const suffixes_usual[] = {"amazonaws.com", "amazonaws.com.cn", "amazonaws.eu",
					     "amazonaws.au",  "amazonaws.uk",     NULL};
static const char *const suffixes_region_last[] = {
	"amazonaws.com",  "amazonaws.com.cn", "c2s.ic.gov", "sc2s.sgov.gov",
	"cloud.adc-e.uk", "csp.hci.ic.gov",   NULL};
static const char *const suffixes_redshift[] = {"amazonaws.com", "amazonaws.com.cn", NULL};
static const char *const suffixes_dsql[] = {"on.aws", NULL};

/* `labels` is what stands before the suffix: N a name, H a hash label whose prefix tells the kind, P a hash
 * label of a proxy, h a bare hash, D "dsql" with or without "-xxxx", R the region; anything else is the label
 * itself, with alternatives. */
static const struct shape {
	const char *labels;
	const char *const *suffixes;
	enum endpoint_kind kind; /* ENDPOINT_OTHER: the hash label tells */
} shapes[] = {
	{"N H R rds|rds-fips",          suffixes_usual,       ENDPOINT_OTHER              },
	{"N endpoint P R rds|rds-fips", suffixes_usual,       ENDPOINT_OTHER              },
	{"N H rds|rds-fips R",          suffixes_region_last, ENDPOINT_OTHER              },
	{"N endpoint P rds|rds-fips R", suffixes_region_last, ENDPOINT_OTHER              },
	{"N D R",		       suffixes_dsql,        ENDPOINT_DSQL               },
	{"N h R redshift",              suffixes_redshift,    ENDPOINT_REDSHIFT           },
	{"N h R redshift-serverless",   suffixes_redshift,    ENDPOINT_REDSHIFT_SERVERLESS},
};

/* Longest first: "cluster-" begins "cluster-ro-". */
static const struct {
	const char *prefix;
	enum endpoint_kind kind;
} hash_prefixes[] = {
	{"cluster-custom-", ENDPOINT_AURORA_CUSTOM   },
	{"cluster-ro-",     ENDPOINT_AURORA_READER   },
	{"cluster-",        ENDPOINT_AURORA_WRITER   },
	{"shardgrp-",       ENDPOINT_AURORA_LIMITLESS},
	{"global-",         ENDPOINT_AURORA_GLOBAL   },
	{"proxy-",          ENDPOINT_RDS_PROXY       },
	{"",		ENDPOINT_RDS_INSTANCE    },
};

static const struct {
	const char *prefix, *partition;
} partitions[] = {
	{"cn-",      "aws-cn"    },
        {"us-gov-",  "aws-us-gov"},
        {"us-iso-",  "aws-iso"   },
	{"us-isob-", "aws-iso-b" },
        {"us-isof-", "aws-iso-f" },
        {"eu-isoe-", "aws-iso-e" },
	{"eusc-",    "aws-eusc"  },
};

static bool starts_nocase(struct slice s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && strncasecmp((const char *)s.p, prefix, n) == 0;
}

static bool eq_nocase(struct slice s, const char *word, size_t n)
{
	return s.n == n && strncasecmp((const char *)s.p, word, n) == 0;
}

static bool all_of(struct slice s, bool hyphen)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!isalnum(s.p[i]) && !(hyphen && s.p[i] == '-'))
			return false;
	}
	return s.n > 0;
}

static struct slice skip(struct slice s, size_t n)
{
	return slice_of(s.p + n, s.n - n);
}

static bool hash_label(struct slice s, enum endpoint_kind *kind)
{
	for (size_t i = 0; i < sizeof(hash_prefixes) / sizeof(hash_prefixes[0]); i++) {
		if (starts_nocase(s, hash_prefixes[i].prefix)) {
			*kind = hash_prefixes[i].kind;
			return all_of(skip(s, strlen(hash_prefixes[i].prefix)), false);
		}
	}
	return false;
}

static bool region_label(struct slice s, char region[ENDPOINT_REGION_SIZE])
{
	if (s.n >= ENDPOINT_REGION_SIZE)
		return false;
	for (size_t i = 0; i < s.n; i++)
		region[i] = (char)tolower(s.p[i]);
	region[s.n] = '\0';
	return strcmp(region, "global") == 0 || endpoint_region_ok(region);
}

/* One label against one of a literal's alternatives, "rds|rds-fips". */
static bool literal_label(struct slice s, const char *words, size_t n)
{
	while (n > 0) {
		const char *bar = memchr(words, '|', n);
		size_t len = bar ? (size_t)(bar - words) : n;

		if (eq_nocase(s, words, len))
			return true;
		if (!bar)
			return false;
		words = bar + 1;
		n -= len + 1;
	}
	return false;
}

static bool match_label(const char *token, size_t n, struct slice label, struct endpoint *out)
{
	enum endpoint_kind kind = ENDPOINT_OTHER;

	switch (n == 1 ? token[0] : '\0') {
	case 'N': return all_of(label, true);
	case 'H': return hash_label(label, &out->kind);
	case 'P':
		out->kind = ENDPOINT_RDS_PROXY;
		return hash_label(label, &kind) && kind == ENDPOINT_RDS_PROXY;
	case 'h': return all_of(label, false);
	case 'D':
		return eq_nocase(label, "dsql", 4) ||
		       (starts_nocase(label, "dsql-") && all_of(skip(label, 5), false));
	case 'R': return region_label(label, out->region);
	default: return literal_label(label, token, n);
	}
}

static bool match_labels(const char *pattern, struct slice host, struct endpoint *out)
{
	for (;;) {
		size_t token_n = strcspn(pattern, " ");
		const unsigned char *dot = host.n ? memchr(host.p, '.', host.n) : NULL;
		size_t label_n = dot ? (size_t)(dot - host.p) : host.n;

		if (!match_label(pattern, token_n, slice_of(host.p, label_n), out))
			return false;
		pattern += token_n;
		if (!dot || *pattern == '\0')
			return !dot && *pattern == '\0';
		pattern++;
		host = skip(host, label_n + 1);
	}
}

/* Without a trailing dot; nothing if it is too long for a name. */
static struct slice host_name(const char *host)
{
	struct slice s = slice_str(host);

	if (s.n > 0 && s.p[s.n - 1] == '.')
		s.n--;
	return s.n <= HOST_MAX ? s : slice_str("");
}

/* *front: what stands before the suffix and its dot, which is something. */
static bool ends_with(struct slice host, const char *suffix, struct slice *front)
{
	size_t n = strlen(suffix);

	if (host.n < n + 2)
		return false;
	*front = slice_of(host.p, host.n - n - 1);
	return host.p[front->n] == '.' && eq_nocase(skip(host, front->n + 1), suffix, n);
}

static bool match_shape(const struct shape *shape, struct slice host, struct endpoint *out)
{
	struct slice front;

	for (const char *const *suffix = shape->suffixes; *suffix; suffix++) {
		if (!ends_with(host, *suffix, &front))
			continue;
		memset(out, 0, sizeof(*out));
		if (match_labels(shape->labels, front, out)) {
			if (shape->kind != ENDPOINT_OTHER)
				out->kind = shape->kind;
			return true;
		}
	}
	return false;
}

struct endpoint endpoint_parse(const char *host)
{
	struct slice s = host_name(host);
	struct endpoint out;
	bool global;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		if (!match_shape(&shapes[i], s, &out))
			continue;
		/* "global" stands where the region would, in names of global databases and nowhere else. */
		global = strcmp(out.region, "global") == 0;
		if (global != (out.kind == ENDPOINT_AURORA_GLOBAL))
			break;
		if (global)
			out.region[0] = '\0';
		return out;
	}
	memset(&out, 0, sizeof(out));
	return out;
}

bool endpoint_is_aws(const char *host)
{
	struct slice s = host_name(host), front;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		for (const char *const *suffix = shapes[i].suffixes; *suffix; suffix++)
			if (ends_with(s, *suffix, &front))
				return true;
	return false;
}

const char *endpoint_kind_name(enum endpoint_kind kind)
{
	static const char *const names[] = {
#define X(kind, name, policy) [kind] = name,
		ENDPOINT_TABLE(X)
#undef X
	};
	return names[kind];
}

const char *endpoint_kind_policy(enum endpoint_kind kind)
{
	static const char *const policies[] = {
#define X(kind, name, policy) [kind] = policy,
		ENDPOINT_TABLE(X)
#undef X
	};
	return policies[kind];
}

bool endpoint_is_rds(enum endpoint_kind kind)
{
	return endpoint_kind_policy(kind) != NULL;
}

const char *endpoint_partition(const char *region)
{
	for (size_t i = 0; i < sizeof(partitions) / sizeof(partitions[0]); i++) {
		if (strncmp(region, partitions[i].prefix, strlen(partitions[i].prefix)) == 0)
			return partitions[i].partition;
	}
	return "aws";
}

bool endpoint_region_ok(const char *region)
{
	size_t n = strlen(region);

	if (n < 3 || n >= ENDPOINT_REGION_SIZE || !islower((unsigned char)region[0]) ||
	    !strchr(region, '-') || region[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!islower((unsigned char)region[i]) && !isdigit((unsigned char)region[i]) &&
		    region[i] != '-')
			return false;
	}
	return true;
}
