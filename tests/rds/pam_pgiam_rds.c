/* A PAM module for the RDS stand-in: asks for the password and lets the verifier judge it, as RDS does with its helper
 * on the database host. pam_exec would not do: it cuts the password at 512 bytes, and a token has a thousand or more.
 *
 * Module arguments: socket=PATH, the verifier's unix socket.
 * Request: two strings (user, password), each a 4-byte big-endian length and that many bytes.
 * Answer: an HTTP-like status of three digits. 200 lets in, 5xx says the verifier is broken, the rest refuses.
 *
 * Everything waits in poll(), which a signal always interrupts: that is how PostgreSQL's authentication_timeout and
 * shutdown reach a backend that sits in here. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <security/pam_modules.h>

#define PASSWORD_MAX 65536

static bool wait_for(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, -1) == 1;
}

static bool send_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		if (!wait_for(fd, POLLOUT))
			return false;
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
		if (n < 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool send_string(int fd, const char *s)
{
	size_t len = strlen(s);
	uint32_t wire = htonl((uint32_t)len);

	return len <= PASSWORD_MAX && send_all(fd, &wire, sizeof wire) && send_all(fd, s, len);
}

static int read_status(int fd)
{
	char text[4] = "";
	size_t have = 0;

	while (have < 3) {
		if (!wait_for(fd, POLLIN))
			return -1;
		ssize_t n = recv(fd, text + have, 3 - have, 0);
		if (n <= 0)
			return -1;
		have += (size_t)n;
	}
	return (int)strtol(text, NULL, 10);
}

/* The verifier's status, or -1 if it cannot be had. */
static int ask_verifier(const char *path, const char *user, const char *password)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int status = -1;

	if (strlen(path) >= sizeof sa.sun_path)
		return -1;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && send_string(fd, user) && send_string(fd, password))
		status = read_status(fd);
	close(fd);
	return status;
}

/* The password the application (PostgreSQL) reads from its client; owned by the caller. */
static int ask_password(pam_handle_t *pamh, char **password)
{
	const struct pam_message msg = {.msg_style = PAM_PROMPT_ECHO_OFF, .msg = "Password: "};
	const struct pam_message *msgs = &msg;
	struct pam_response *answer = NULL;
	const void *item = NULL;

	int rc = pam_get_item(pamh, PAM_CONV, &item);
	const struct pam_conv *conv = item;
	if (rc != PAM_SUCCESS || conv == NULL || conv->conv == NULL)
		return PAM_CONV_ERR;
	rc = conv->conv(1, &msgs, &answer, conv->appdata_ptr);
	if (rc != PAM_SUCCESS)
		return rc;
	*password = answer != NULL ? answer->resp : NULL;
	free(answer);
	return *password != NULL ? PAM_SUCCESS : PAM_CONV_ERR;
}

static const char *socket_path(int argc, const char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], "socket=", 7) == 0)
			return argv[i] + 7;
	return NULL;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	const char *path = socket_path(argc, argv);
	const char *user = NULL;
	char *password = NULL;

	(void)flags;
	if (path == NULL)
		return PAM_SERVICE_ERR;
	int rc = pam_get_user(pamh, &user, NULL);
	if (rc == PAM_SUCCESS)
		rc = ask_password(pamh, &password);
	if (rc != PAM_SUCCESS)
		return rc;
	int status = ask_verifier(path, user, password);
	explicit_bzero(password, strlen(password));
	free(password);
	if (status == 200)
		return PAM_SUCCESS;
	return status < 0 || status >= 500 ? PAM_AUTHINFO_UNAVAIL : PAM_PERM_DENIED;
}

/* PostgreSQL also asks whether the account may log in now; the verifier has said so. */
int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_SUCCESS;
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return pam_sm_acct_mgmt(pamh, flags, argc, argv);
}
