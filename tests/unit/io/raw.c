#include "config.h"
#include "raw.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"

static void on_side(void *arg, unsigned what)
{
	struct side *x = arg;

	if (x->done == 0) {
		x->done = stream_tls_step(x->s, &x->err);
		return;
	}
	x->readable += !!(what & STREAM_READABLE);
	x->writable += !!(what & STREAM_WRITABLE);
}

void raw_side_start(struct side *x, struct loop *l, int fd)
{
	*x = (struct side){0};
	x->s = stream_new(l, fd, on_side, x);
}

void raw_start(struct raw *w, const struct kit_tls *t, int fd, bool server)
{
	w->ctx = SSL_CTX_new(TLS_method());
	if (server) {
		assert_int_equal(SSL_CTX_use_certificate_file(w->ctx, t->cert_file, SSL_FILETYPE_PEM), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(w->ctx, t->key_file, SSL_FILETYPE_PEM), 1);
	}
	w->ssl = SSL_new(w->ctx);
	w->in = BIO_new(BIO_s_mem());
	w->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(w->in, -1);
	BIO_set_mem_eof_return(w->out, -1);
	SSL_set_bio(w->ssl, w->in, w->out);
	if (server)
		SSL_set_accept_state(w->ssl);
	else
		SSL_set_connect_state(w->ssl);
	w->fd = fd;
}

void raw_pull(struct raw *w)
{
	char buf[65536];
	ssize_t r;

	while ((r = read(w->fd, buf, sizeof buf)) > 0)
		assert_int_equal(BIO_write(w->in, buf, (int)r), r);
}

size_t raw_push(struct raw *w, size_t n)
{
	char buf[65536];
	size_t sent = 0;
	int r;

	while (sent < n &&
	       (r = BIO_read(w->out, buf, (int)(n - sent < sizeof buf ? n - sent : sizeof buf))) > 0) {
		assert_int_equal(write(w->fd, buf, (size_t)r), r);
		sent += (size_t)r;
	}
	return sent;
}

void raw_free(struct raw *w)
{
	SSL_free(w->ssl);
	SSL_CTX_free(w->ctx);
	if (w->fd >= 0)
		close(w->fd);
}

void raw_shake(struct raw *w, struct side *x, struct loop *l)
{
	x->done = stream_tls_step(x->s, &x->err);
	kit_until(l, ({
			  raw_pull(w);
			  if (!SSL_is_init_finished(w->ssl)) {
				  SSL_do_handshake(w->ssl);
				  if (!SSL_is_init_finished(w->ssl) || !SSL_is_server(w->ssl) ||
				      SSL_version(w->ssl) != TLS1_3_VERSION)
					  raw_push(w, SIZE_MAX);
			  }
			  SSL_is_init_finished(w->ssl) && x->done;
		  }));
	assert_int_equal(x->done, 1);
}

void raw_write(struct raw *w, const void *p, size_t n)
{
	assert_int_equal(SSL_write(w->ssl, p, (int)n), n);
}

void raw_server(struct raw *w, struct side *x, struct kit_tls *t, struct loop *l)
{
	int fd[2];

	kit_unix_pair(fd);
	raw_side_start(x, l, fd[0]);
	raw_start(w, t, fd[1], true);
	stream_tls_client(x->s, t->client_ctx, "db.example.com");
}

void raw_client(struct raw *w, struct side *x, struct kit_tls *t, struct loop *l)
{
	int fd[2];

	kit_unix_pair(fd);
	raw_side_start(x, l, fd[0]);
	raw_start(w, t, fd[1], false);
	stream_tls_server(x->s, t->server_ctx);
}

void raw_meet(struct side *server, struct side *client, struct loop *l, struct tls_ctx *server_ctx,
	      struct tls_ctx *client_ctx, const char *name)
{
	int fd[2];

	kit_tcp_pair(fd);
	raw_side_start(server, l, fd[0]);
	raw_side_start(client, l, fd[1]);
	stream_tls_server(server->s, server_ctx);
	stream_tls_client(client->s, client_ctx, name);
	server->done = stream_tls_step(server->s, &server->err);
	client->done = stream_tls_step(client->s, &client->err);
	kit_until(l, (server->done && client->done) || server->done < 0 || client->done < 0);
}

void raw_part(struct side *server, struct side *client)
{
	stream_close(server->s);
	stream_close(client->s);
}

int raw_world_setup(void **state)
{
	struct raw_world *f = mem_zalloc(sizeof *f);

	kit_tls_init(&f->tls, "db.example.com", "DNS:db.example.com");
	f->l = kit_loop();
	*state = f;
	return 0;
}

int raw_world_teardown(void **state)
{
	struct raw_world *f = *state;

	loop_free(f->l);
	kit_tls_fini(&f->tls);
	free(f);
	return 0;
}
