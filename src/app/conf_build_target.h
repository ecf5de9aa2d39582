/* One database's settings becoming a target: what the files that do it share. */
#ifndef PGIAM_APP_CONF_BUILD_TARGET_H
#define PGIAM_APP_CONF_BUILD_TARGET_H

#include "app/conf_build.h"
#include "aws/aws.h"

struct targets {
	struct conf_builder *b;
	const struct conf_database *db;
	struct target *t;     /* of db */
	enum aws_token token; /* with TARGET_AUTH_IAM */
	bool failed;          /* an error in db was told */
};

/* What is wrong with an option of the database; hint may be NULL. Sets failed. */
void __attribute__((format(printf, 4, 5)))
conf_build_target_bad(struct targets *ts, enum option_id id, const char *hint, const char *fmt, ...);

/* A warning about the database. */
void __attribute__((format(printf, 2, 3))) conf_build_target_warn(struct targets *ts, const char *fmt, ...);

/* How ts->t, whose names are known, is logged in to: its auth, and ts->token. */
void conf_build_target_login(struct targets *ts);

/* The same as the option's value: "iam", "dsql", ... */
const char *conf_build_target_auth(const struct targets *ts);

/* The kind of server that the option stands for; PROFILE_COUNT: any. */
enum profile_kind conf_build_target_auth_profile(const struct targets *ts);

/* As conf_builder_text and conf_builder_num. */
const char *conf_build_target_text(const struct targets *ts, enum option_id id);
uint64_t conf_build_target_num(const struct targets *ts, enum option_id id);

/* The secret of ts->t, whose auth and iam_host are known: into the configuration's, and t->secret_index. */
void conf_build_secret(struct targets *ts, struct conf_target *ct);

/* The region that s, of a kind that signs, is for, into it: `named` where that is not NULL, or as aws_region_find has it;
 * NULL where only the instance can tell. False, and told, if there is none. */
bool conf_build_target_region(struct targets *ts, struct conf_secret *s, const char *named);

/* What auth=redshift asks for: into s. False, and told, if something is wrong. */
bool conf_build_redshift(struct targets *ts, struct conf_secret *s);

#endif
