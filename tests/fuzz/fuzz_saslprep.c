/* pg/saslprep and pg/unicode: any password becomes something to hash, and it is the same every time. */
#include <stdint.h>
#include <stdlib.h>
#include "base/enc.h"
#include "pg/saslprep.h"
#include "pg/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct buf prepared, password;

	if (size > 4096)
		return 0;
	buf_init_secret(&prepared, 1 << 20);
	buf_init_secret(&password, 1 << 20);
	must((scram_prepare_password(in, &password, NULL) == 0) == (size > 0));
	if (saslprep(&prepared, in) == 0) {
		must(prepared.n > 0 && slice_eq(buf_slice(&prepared), buf_slice(&password)));
		must(enc_is_utf8(buf_slice(&prepared)) || memchr(data, 0, size));
	} else {
		must(prepared.n == 0 && slice_eq(in, buf_slice(&password)));
	}
	buf_free(&prepared);
	buf_free(&password);
	return 0;
}
