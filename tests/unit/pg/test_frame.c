#include "pg_test.h"
#include "pg/frame.h"

static void heads(void **state)
{
	static const struct {
		const char *bytes;
		enum frame_status status;
		uint32_t body;
	} cases[] = {
		{"Z\x00\x00\x00\x00",  FRAME_BAD, 0             },
                {"Z\x00\x00\x00\x03",  FRAME_BAD, 0             },
		{"Z\x00\x00\x00\x04",  FRAME_OK,  0             },
                {"Z\x00\x00\x00\x05",  FRAME_OK,  1             },
		{"D\x00\x01\x02\x03",  FRAME_OK,  0x0101ff      },
                {"D\x40\x00\x00\x02",  FRAME_OK,  FRAME_MAX_BODY},
		{"D\x40\x00\x00\x03",  FRAME_BAD, 0             },
                {"D\x7f\xff\xff\xff",  FRAME_BAD, 0             },
		{"D\x80\x00\x00\x00",  FRAME_BAD, 0             },
                {"D\xff\xff\xff\xff",  FRAME_BAD, 0             },
		{"\0\x00\x00\x00\x04", FRAME_OK,  0             },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		void *copy = guard_copy(cases[i].bytes, 5);
		struct frame f = {0};

		assert_int_equal(frame_head(slice_of(copy, 5), &f), cases[i].status);
		if (cases[i].status == FRAME_OK) {
			assert_int_equal(f.type, (uint8_t)cases[i].bytes[0]);
			assert_int_equal(f.body, cases[i].body);
		}
		guard_free(copy, 5);
	}
}

static void check_cut(struct slice cut, bool whole)
{
	struct frame f;
	struct slice body;

	assert_int_equal(frame_head(cut, &f), cut.n < FRAME_HEAD_BYTES ? FRAME_PARTIAL : FRAME_OK);
	assert_int_equal(frame_whole(cut, 5, &f, &body), whole ? FRAME_OK : FRAME_PARTIAL);
	if (whole)
		assert_slice(body, "hello");
}

static void partial_at_every_length(void **state)
{
	(void)state;
	each_cut(BYTES("C\0\0\0\x09hello"), check_cut);
}

static void limit_of_a_whole_message(void **state)
{
	struct slice in = BYTES("C\0\0\0\x09hello and more"), body = {0};
	struct frame f;

	(void)state;
	assert_int_equal(frame_whole(in, 4, &f, &body), FRAME_BAD);
	/* refused at once, before what it announces has come */
	assert_int_equal(frame_whole(slice_of(in.p, 5), 4, &f, &body), FRAME_BAD);
	assert_int_equal(frame_whole(in, FRAME_MAX_BODY, &f, &body), FRAME_OK);
	assert_slice(body, "hello");
	assert_int_equal(frame_whole(BYTES("C\0\0\0\x03"), 4, &f, &body), FRAME_BAD);
	assert_int_equal(frame_whole(BYTES("S\0\0\0\x04"), 0, &f, &body), FRAME_OK);
	assert_int_equal(body.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads),
		cmocka_unit_test(partial_at_every_length),
		cmocka_unit_test(limit_of_a_whole_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
