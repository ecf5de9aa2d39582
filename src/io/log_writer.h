/* Writes log lines on a thread of its own, so that a full disk, a stalled pipe or a slow
 * terminal stalls nothing else. The queue is bounded; what does not fit is dropped and
 * counted, and the count is written as a line when writing works again. That a log file cannot be written is told on
 * stderr, once an outage. */
#ifndef PGIAM_IO_LOG_WRITER_H
#define PGIAM_IO_LOG_WRITER_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct log_writer;

/* fd is borrowed (2, or a log file's). NULL with e set if no thread can be started. */
struct log_writer *log_writer_new(int fd, size_t queue_bytes, struct err *e);

/* A log_sink (base/log.h): arg is the struct log_writer. Thread-safe, never blocks on the fd. */
void log_writer_sink(void *writer, const char *line, size_t n);

struct log_writer_stats {
	uint64_t dropped;  /* lines */
	uint64_t failures; /* of write(2): a full disk, a reader that went; each is tried again after a second */
};
struct log_writer_stats log_writer_stats(struct log_writer *w);

/* Waits up to timeout_ms for the queue to be written, then ends the thread. If the fd is stalled
 * beyond that the thread is left behind (the process is exiting) and -1 is returned. */
int log_writer_free(struct log_writer *w, int timeout_ms);

/* The same, but w stays for threads that go on logging until the process exits; their lines are lost. No
 * log_writer_free may follow. */
int log_writer_end(struct log_writer *w, int timeout_ms);

#endif
