/* The tables again, in the words of the protocol's documentation. */
#include "pg_test.h"
#include "pg/frame.h"
#include "pg/msg.h"

struct expected {
	uint8_t type;
	const char *name;
	uint8_t class;
	uint32_t max_length; /* as PostgreSQL and libpq count it: with the length word */
};

#define HUGE_LENGTH (FRAME_MAX_BODY + 4)

static const struct expected client[] = {
	{'B', "Bind",         MSG_FORWARD, 0x3ffffffe},
	{'C', "Close",        MSG_FORWARD, 10000     },
	{'D', "Describe",     MSG_FORWARD, 10000     },
	{'E', "Execute",      MSG_FORWARD, 10000     },
	{'F', "FunctionCall", MSG_FORWARD, 0x3ffffffe},
	{'H', "Flush",        MSG_FORWARD, 4         }, /* nothing in it; PostgreSQL: 10000 */
	{'P', "Parse",        MSG_FORWARD, 0x3ffffffe},
	{'Q', "Query",        MSG_FORWARD, 0x3ffffffe},
	{'S', "Sync",         MSG_FORWARD, 10000     },
	{'X', "Terminate",    MSG_FORWARD, 10000     },
	{'c', "CopyDone",     MSG_FORWARD, 10000     },
	{'d', "CopyData",     MSG_FORWARD, 0x3ffffffe},
	{'f', "CopyFail",     MSG_FORWARD, 10000     },
};

static const struct expected server[] = {
	{'1', "ParseComplete",        MSG_FORWARD, 30000      },
	{'2', "BindComplete",         MSG_FORWARD, 30000      },
	{'3', "CloseComplete",        MSG_FORWARD, 30000      },
	{'A', "NotificationResponse", MSG_FORWARD, HUGE_LENGTH},
	{'C', "CommandComplete",      MSG_FORWARD, 30000      },
	{'D', "DataRow",              MSG_FORWARD, HUGE_LENGTH},
	{'E', "ErrorResponse",        MSG_PREFIX,  HUGE_LENGTH},
	{'G', "CopyInResponse",       MSG_FORWARD, 30000      },
	{'H', "CopyOutResponse",      MSG_FORWARD, 30000      },
	{'I', "EmptyQueryResponse",   MSG_FORWARD, 30000      },
	{'N', "NoticeResponse",       MSG_PREFIX,  HUGE_LENGTH},
	{'S', "ParameterStatus",      MSG_WHOLE,   30000      },
	{'T', "RowDescription",       MSG_FORWARD, HUGE_LENGTH},
	{'V', "FunctionCallResponse", MSG_FORWARD, HUGE_LENGTH},
	{'W', "CopyBothResponse",     MSG_FORWARD, 30000      },
	{'Z', "ReadyForQuery",        MSG_WHOLE,   5          },
	{'c', "CopyDone",             MSG_FORWARD, 30000      },
	{'d', "CopyData",             MSG_FORWARD, HUGE_LENGTH},
	{'n', "NoData",               MSG_FORWARD, 30000      },
	{'s', "PortalSuspended",      MSG_FORWARD, 30000      },
	{'t', "ParameterDescription", MSG_FORWARD, HUGE_LENGTH},
};

static void check(const struct msg_info *(*lookup)(uint8_t), const struct expected *list, size_t n)
{
	for (unsigned type = 0; type < 256; type++) {
		const struct msg_info *m = lookup((uint8_t)type);
		const struct expected *x = NULL;

		for (size_t i = 0; i < n; i++)
			if (list[i].type == type)
				x = &list[i];
		assert_non_null(m);
		if (!x) {
			assert_int_equal(m->class, MSG_REJECT);
			assert_null(m->name);
			continue;
		}
		assert_int_equal(m->class, x->class);
		assert_string_equal(m->name, x->name);
		assert_int_equal(m->max_body, x->max_length - 4);
		assert_int_equal(m->need, x->class == MSG_PREFIX ? 256 : 0);
	}
}

static void tables(void **state)
{
	(void)state;
	check(msg_from_client, client, sizeof(client) / sizeof(client[0]));
	check(msg_from_server, server, sizeof(server) / sizeof(server[0]));
}

static void extended_protocol(void **state)
{
	(void)state;
	for (unsigned type = 1; type < 256; type++) {
		assert_int_equal(msg_from_client((uint8_t)type)->extended,
				 strchr("PBDEC", (int)type) != NULL);
		assert_false(msg_from_client((uint8_t)type)->completes);
		assert_int_equal(msg_from_server((uint8_t)type)->completes,
				 strchr("123TnCIs", (int)type) != NULL);
		assert_false(msg_from_server((uint8_t)type)->extended);
		assert_false(msg_from_client((uint8_t)type)->answers);
		assert_int_equal(msg_from_server((uint8_t)type)->answers,
				 strchr("123CEGITVWZnst", (int)type) != NULL);
	}
}

/* What belongs to the login must not come again (pitfall 73). */
static void login_is_over(void **state)
{
	(void)state;
	assert_int_equal(msg_from_client('p')->class, MSG_REJECT);
	assert_int_equal(msg_from_client(0)->class, MSG_REJECT);
	assert_int_equal(msg_from_server('R')->class, MSG_REJECT);
	assert_int_equal(msg_from_server('K')->class, MSG_REJECT);
	assert_int_equal(msg_from_server('v')->class, MSG_REJECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(extended_protocol),
		cmocka_unit_test(login_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
