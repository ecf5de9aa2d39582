/* The files of the AWS CLI and the SDKs, ~/.aws/config and ~/.aws/credentials, read together. Pure.
 *
 * What is wrong with one section harms only who asks for that section: people keep profiles of many tools in
 * these files. Secrets stand in them: values are wiped, and never quoted in a message.
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files: format". */
#ifndef PGIAM_AWS_PROFILE_FILE_H
#define PGIAM_AWS_PROFILE_FILE_H

#include "base/err.h"
#include "base/slice.h"

#define PROFILE_FILE_MAX     (1u << 20) /* bytes of one file */
#define PROFILE_SECTIONS_MAX 20000      /* of both */
#define PROFILE_SETTINGS_MAX 256        /* of one section */

/* In this order: what the credentials file says goes before the same of the config file. */
enum profile_file_source { PROFILE_CONFIG, PROFILE_CREDENTIALS, PROFILE_SOURCES };

/* [profile x], [sso-session x], [services x] */
enum profile_file_kind { PROFILE_PROFILE, PROFILE_SSO_SESSION, PROFILE_SERVICES, PROFILE_KIND_COUNT };

struct profile_file;
struct profile_section;

struct profile_file *profile_file_new(void) __attribute__((returns_nonnull));
void profile_file_free(struct profile_file *f); /* NULL is fine */

/* Adds a file's text. -1 if it is no such file at all: too long, too many sections. name, for messages, is
 * copied. Config first. */
int profile_file_add(struct profile_file *f, enum profile_file_source source, const char *name,
		     struct slice text, struct err *e);

/* NULL if there is none of that name, which is compared to the letter. Borrowed, like all below. */
const struct profile_section *profile_file_find(const struct profile_file *f, enum profile_file_kind kind,
						const char *name);

/* Something in a file that is no section and belongs to none: "~/.aws/config, line 3: ...", "" if there is
 * nothing. For whoever misses a section. */
const char *profile_file_stray(const struct profile_file *f);

const char *profile_file_name(const struct profile_section *p);

/* 0, or -1 with what is wrong with this section, and where. */
int profile_file_check(const struct profile_section *p, struct err *e);

/* The value, or NULL if there is none or it is empty. key in lower case; "sts.endpoint_url" for a setting
 * that stands indented under "sts =". */
const char *profile_file_get(const struct profile_section *p, const char *key);

#endif
