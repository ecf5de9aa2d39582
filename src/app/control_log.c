#include "app/control_log.h"

#include <fcntl.h>
#include <unistd.h>

#define QUEUE_BYTES (1u << 20)
#define FLUSH_MS    1000

int control_log_open(struct control_log *l, const struct conf *c, struct err *e)
{
	l->fd = 2;
	if (c->logfile) {
		l->fd = open(c->logfile, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
		if (l->fd < 0)
			return err_set(e, ERR_IO, "cannot open the log file %s: %m", c->logfile);
	}
	l->writer = log_writer_new(l->fd, QUEUE_BYTES, e);
	if (l->writer == NULL)
		return -1;
	l->log = log_new(clock_system(), c->log_level, c->log_format, log_writer_sink, l->writer);
	return 0;
}

void control_log_problems(struct control_log *l, const struct conf_problem *p, size_t count)
{
	for (size_t i = 0; i < count; i++)
		log_at(l->log, p[i].level, "configuration", LS("where", p[i].where), LS("text", p[i].text),
		       LS("hint", p[i].hint[0] ? p[i].hint : NULL));
}

void control_log_close(struct control_log *l)
{
	bool stuck = false;

	log_free(l->log);
	if (l->writer)
		stuck = log_writer_free(l->writer, FLUSH_MS) < 0;
	if (l->fd > 2 && !stuck) /* a writer left behind still holds it */
		close(l->fd);
	*l = (struct control_log){0};
}

void control_log_abandon(struct control_log *l)
{
	log_writer_end(l->writer, FLUSH_MS);
}
