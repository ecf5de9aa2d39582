/* pg/frame and pg/msg: a stream of messages, cut off at every message's last byte. */
#include <stdint.h>
#include <stdlib.h>
#include "base/mem.h"
#include "pg/frame.h"
#include "pg/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* The same bytes with one missing, alone in memory. */
static void one_less(struct slice in, uint32_t max_body)
{
	unsigned char *p = mem_alloc(in.n - 1);
	struct slice body;
	struct frame f;

	memcpy(p, in.p, in.n - 1);
	must(frame_whole(slice_of(p, in.n - 1), max_body, &f, &body) == FRAME_PARTIAL);
	free(p);
}

static void walk(struct slice in, const struct msg_info *(*info)(uint8_t))
{
	while (in.n > 0) {
		const struct msg_info *m = info(in.p[0]);
		struct slice body = {0};
		struct frame f = {0};
		size_t whole;

		must(m && m->max_body <= FRAME_MAX_BODY && (m->class != MSG_REJECT) == (m->name != NULL));
		switch (frame_whole(in, m->max_body, &f, &body)) {
		case FRAME_PARTIAL: must(in.n < FRAME_HEAD_BYTES || f.body > in.n - FRAME_HEAD_BYTES); return;
		case FRAME_BAD: must(in.n >= FRAME_HEAD_BYTES); return;
		case FRAME_OK:
			must(f.type == in.p[0] && f.body == body.n && body.n <= m->max_body);
			must(body.p == in.p + FRAME_HEAD_BYTES && body.n <= in.n - FRAME_HEAD_BYTES);
			whole = FRAME_HEAD_BYTES + body.n;
			one_less(slice_of(in.p, whole), m->max_body);
			in.p += whole;
			in.n -= whole;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	walk(slice_of(data, size), msg_from_client);
	walk(slice_of(data, size), msg_from_server);
	return 0;
}
