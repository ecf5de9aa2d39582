/* The kernel knows who owns the other end of a local connection. For TCP it is asked by sock_diag(7) for
 * exactly one socket: the one whose source is our peer and whose destination is ourselves. A connection from
 * elsewhere has no such socket here.
 *
 * The kernel reports uid 0 for a socket that no process holds any more (closed, TIME_WAIT, or not accepted
 * yet): only a socket that still has an inode counts, otherwise whoever connects and closes at once would be
 * root. */
#include "config.h"
#include "io/peer.h"

#include <errno.h>
#include <string.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

static int peer_unknown(struct err *e, const struct addr *peer, const char *why)
{
	char where[ADDR_TEXT];

	return err_set(e, ERR_CLIENT_USER, "the owner of the connection from %s cannot be known: %s",
		       addr_text(peer, where), why);
}

static int peer_uid_unix(int fd, const struct addr *peer, uid_t *uid, struct err *e)
{
	struct ucred cred;
	socklen_t n = sizeof cred;
	char text[128];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0 || n != sizeof cred)
		return peer_unknown(e, peer, strerror_r(errno, text, sizeof text));
	if (cred.uid == (uid_t)-1)
		return peer_unknown(e, peer, "it has no credentials");
	*uid = cred.uid;
	return 0;
}

/* ---- TCP ---- */

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 rq;
};

/* Address and port as sock_diag has them. IPv4 written as IPv6 is IPv4, however the peer's socket was made.
 */
static int fill(const struct addr *a, __be32 ip[4], __be16 *port, __u32 *scope)
{
	if (a->ss.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)&a->ss;

		ip[0] = in->sin_addr.s_addr;
		*port = in->sin_port;
		return AF_INET;
	}
	if (a->ss.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)&a->ss;

		*port = in6->sin6_port;
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			memcpy(ip, &in6->sin6_addr.s6_addr[12], 4);
			return AF_INET;
		}
		memcpy(ip, &in6->sin6_addr, 16);
		*scope = in6->sin6_scope_id;
		return AF_INET6;
	}
	return AF_UNSPEC;
}

/* 0, or an errno. */
static int ask(const struct request *q, struct inet_diag_msg *out)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	union {
		struct nlmsghdr head;
		char bytes[1024];
	} answer;
	struct nlmsghdr *h = &answer.head;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), error = 0;
	ssize_t n = -1;

	if (fd < 0)
		return errno;
	/* The kernel answers within the send, so there is nothing to wait for. */
	if (sendto(fd, q, sizeof *q, 0, (const struct sockaddr *)&kernel, sizeof kernel) ==
	    (ssize_t)sizeof *q)
		n = recv(fd, &answer, sizeof answer, MSG_DONTWAIT);
	if (n < 0)
		error = errno;
	close(fd);
	if (error)
		return error;
	if ((size_t)n < sizeof *h || h->nlmsg_len > (size_t)n)
		return EBADMSG;
	if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
		error = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
		return error ? error : EBADMSG;
	}
	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || h->nlmsg_len < NLMSG_LENGTH(sizeof *out))
		return EBADMSG;
	memcpy(out, NLMSG_DATA(h), sizeof *out);
	return 0;
}

static int peer_uid_tcp(const struct addr *peer, const struct addr *local, uid_t *uid, struct err *e)
{
	struct request q = {
		.head = {.nlmsg_len = sizeof q,
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST},
		.rq = {.sdiag_protocol = IPPROTO_TCP,                     .idiag_states = ~0u  },
	};
	struct inet_diag_sockid *id = &q.rq.id;
	struct inet_diag_msg m = {0};
	char text[128];
	__u32 scope = 0;
	int family = fill(peer, id->idiag_src, &id->idiag_sport, &scope), error;

	if (family == AF_UNSPEC || family != fill(local, id->idiag_dst, &id->idiag_dport, &scope))
		return peer_unknown(e, peer, "no local connection");
	q.rq.sdiag_family = (__u8)family;
	id->idiag_if = scope;
	id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	error = ask(&q, &m);
	if (error == ENOENT)
		return peer_unknown(e, peer, "its socket is not on this machine");
	if (error)
		return peer_unknown(e, peer, strerror_r(error, text, sizeof text));
	if (m.id.idiag_sport != id->idiag_sport || m.id.idiag_dport != id->idiag_dport ||
	    m.idiag_inode == 0 ||
	    (m.idiag_state != TCP_ESTABLISHED && m.idiag_state != TCP_FIN_WAIT1 &&
	     m.idiag_state != TCP_FIN_WAIT2))
		return peer_unknown(e, peer, "it is already closed");
	*uid = m.idiag_uid;
	return 0;
}

int peer_uid(int fd, const struct addr *peer, const struct addr *local, uid_t *uid, struct err *e)
{
	return addr_is_unix(local) ? peer_uid_unix(fd, peer, uid, e) : peer_uid_tcp(peer, local, uid, e);
}
