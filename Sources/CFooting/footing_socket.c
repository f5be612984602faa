#define _GNU_SOURCE
#include "footing_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int unix_address(const char *path, struct sockaddr_un *address)
{
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof address->sun_path)
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

static int fail(int socket)
{
	int error = errno;
	close(socket);
	return -error;
}

int footing_listen_unix(const char *path, int backlog)
{
	struct sockaddr_un address;
	int result = unix_address(path, &address);
	if (result < 0)
		return result;
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0)
		return -errno;
	/* The socket's file takes its mode from the descriptor's inode, so no one can connect
	 * between bind and chmod. */
	if (fchmod(listener, 0600) < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(listener, backlog) < 0)
		return fail(listener);
	return listener;
}

int footing_connect_unix(const char *path)
{
	struct sockaddr_un address;
	int result = unix_address(path, &address);
	if (result < 0)
		return result;
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client < 0)
		return -errno;
	if (connect(client, (struct sockaddr *)&address, sizeof address) < 0)
		return fail(client);
	return client;
}

int footing_listen_loopback(int family, uint16_t *port, int backlog)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET,
				 .sin_port = htons(*port),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
				  .sin6_port = htons(*port),
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int six = family == 6;
	struct sockaddr *address = six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t length = six ? sizeof v6 : sizeof v4;
	int listener = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0)
		return -errno;
	int on = 1;
	if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(listener, address, length) < 0 || listen(listener, backlog) < 0 ||
	    getsockname(listener, address, &length) < 0)
		return fail(listener);
	*port = ntohs(six ? v6.sin6_port : v4.sin_port);
	return listener;
}

int footing_connect_loopback(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client < 0)
		return -errno;
	if (connect(client, (struct sockaddr *)&address, sizeof address) < 0)
		return fail(client);
	return client;
}

int footing_connect_metadata(uint32_t address, uint16_t port)
{
	/* Checked where the packet leaves, so that no mistake above can send one elsewhere. */
	if ((address & 0xffff0000) != 0xa9fe0000 && address != 0x646464c8)
		return -EACCES;
	struct sockaddr_in peer = {.sin_family = AF_INET,
				   .sin_port = htons(port),
				   .sin_addr = {htonl(address)}};
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client < 0)
		return -errno;
	if (connect(client, (struct sockaddr *)&peer, sizeof peer) < 0 && errno != EINPROGRESS)
		return fail(client);
	return client;
}

int footing_socket_error(int socket)
{
	int error = 0;
	socklen_t length = sizeof error;
	if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		return -errno;
	return -error;
}

int footing_accept(int listener)
{
	int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return client < 0 ? -errno : client;
}

int footing_socket_buffers(int socket, int send_bytes, int receive_bytes)
{
	if (send_bytes &&
	    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes) < 0)
		return -errno;
	if (receive_bytes &&
	    setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes) < 0)
		return -errno;
	return 0;
}

int footing_no_delay(int socket)
{
	int on = 1;
	return setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ? -errno : 0;
}

ssize_t footing_receive(int socket, void *buffer, size_t length, int nowait)
{
	ssize_t count = recv(socket, buffer, length, nowait ? MSG_DONTWAIT : 0);
	return count < 0 ? -errno : count;
}

ssize_t footing_send(int socket, const void *buffer, size_t length, int nowait)
{
	ssize_t count = send(socket, buffer, length, MSG_NOSIGNAL | (nowait ? MSG_DONTWAIT : 0));
	return count < 0 ? -errno : count;
}

ssize_t footing_send_parts(int socket, struct iovec *parts, size_t length, int nowait)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = length};
	ssize_t count = sendmsg(socket, &message, MSG_NOSIGNAL | (nowait ? MSG_DONTWAIT : 0));
	return count < 0 ? -errno : count;
}

int footing_event(void)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return event < 0 ? -errno : event;
}

int footing_probe_unix(const char *path)
{
	struct sockaddr_un address;
	int result = unix_address(path, &address);
	if (result < 0)
		return result;
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client < 0)
		return -errno;
	if (connect(client, (struct sockaddr *)&address, sizeof address) < 0)
		return fail(client);
	close(client);
	return 0;
}

int footing_set_nonblocking(int descriptor, int on)
{
	int flags = fcntl(descriptor, F_GETFL);
	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(descriptor, F_SETFL, flags) < 0 ? -errno : 0;
}

static int set_timeout(int socket, int option, int milliseconds)
{
	struct timeval time = {.tv_sec = milliseconds / 1000,
			       .tv_usec = milliseconds % 1000 * 1000};
	return setsockopt(socket, SOL_SOCKET, option, &time, sizeof time) < 0 ? -errno : 0;
}

int footing_socket_timeouts(int socket, int receive_milliseconds, int send_milliseconds)
{
	int result = set_timeout(socket, SO_RCVTIMEO, receive_milliseconds);
	return result < 0 ? result : set_timeout(socket, SO_SNDTIMEO, send_milliseconds);
}

int footing_socket_pair(int pair[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
}

int footing_event_set(int event)
{
	return eventfd_write(event, 1) < 0 ? -errno : 0;
}

int footing_event_clear(int event)
{
	eventfd_t value;
	return eventfd_read(event, &value) < 0 ? -errno : 0;
}

int footing_poll(int first, int first_wants, int second, int timeout_milliseconds)
{
	static const short events[] = {
		[FOOTING_POLL_NOTHING] = 0,
		[FOOTING_POLL_READ] = POLLIN | POLLRDHUP,
		[FOOTING_POLL_WRITE] = POLLOUT,
	};
	struct pollfd descriptors[2] = {{.fd = first, .events = events[first_wants]},
					{.fd = second, .events = POLLIN}};
	int count = poll(descriptors, 2, timeout_milliseconds);
	if (count < 0)
		return -errno;
	return (descriptors[0].revents ? 1 : 0) | (descriptors[1].revents ? 2 : 0);
}

int footing_receivable(int socket)
{
	int bytes = 0;
	return ioctl(socket, FIONREAD, &bytes) < 0 ? -errno : bytes;
}

int footing_flock(int descriptor)
{
	return flock(descriptor, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}
