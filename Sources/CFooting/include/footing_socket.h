#ifndef FOOTING_SOCKET_H
#define FOOTING_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* A listening Unix stream socket at `path` (107 bytes at most), mode 0600; -errno. */
int footing_listen_unix(const char *path, int backlog);

/* A connected Unix stream socket; -errno (ECONNREFUSED: a stale socket, nobody listens). */
int footing_connect_unix(const char *path);

/* A listening TCP socket on 127.0.0.1 (family 4) or ::1 (family 6), never another address.
 * `port` 0 picks one; *port holds the one in use afterwards. */
int footing_listen_loopback(int family, uint16_t *port, int backlog);

/* A connected TCP socket to 127.0.0.1; -errno. */
int footing_connect_loopback(uint16_t port);

/* A TCP socket that connects without waiting to an IPv4 address in host byte order; -errno. Ready
 * for writing once it is connected or has failed, which footing_socket_error tells.
 * -EACCES, and nothing sent, for an address that is no cloud's metadata server: it must lie in
 * 169.254.0.0/16 or be 100.100.100.200. */
int footing_connect_metadata(uint32_t address, uint16_t port);

/* SO_ERROR: 0, or the -errno that a connection ended with. */
int footing_socket_error(int socket);

/* accept4(2) with SOCK_CLOEXEC; -errno. */
int footing_accept(int listener);

/* SO_SNDBUF and SO_RCVBUF; 0 leaves one as it is. */
int footing_socket_buffers(int socket, int send_bytes, int receive_bytes);

/* TCP_NODELAY; an error on a Unix socket is ignored by the caller. */
int footing_no_delay(int socket);

/* recv(2); never raises SIGPIPE. `nowait` adds MSG_DONTWAIT. Count, 0 at end of stream, -errno. */
ssize_t footing_receive(int socket, void *buffer, size_t length, int nowait);

/* send(2) with MSG_NOSIGNAL. `nowait` adds MSG_DONTWAIT. Count or -errno. */
ssize_t footing_send(int socket, const void *buffer, size_t length, int nowait);

/* The same for several buffers, one behind the other (sendmsg(2)). */
ssize_t footing_send_parts(int socket, struct iovec *parts, size_t count, int nowait);

/* An eventfd(2), non-blocking. */
int footing_event(void);

/* connect(2) that never waits: -EAGAIN where the listener's queue is full, -ECONNREFUSED where
 * nobody listens at a Unix socket's path. The socket is closed at once. */
int footing_probe_unix(const char *path);

/* O_NONBLOCK on or off. */
int footing_set_nonblocking(int descriptor, int on);

/* SO_RCVTIMEO and SO_SNDTIMEO in milliseconds; 0 waits for ever. */
int footing_socket_timeouts(int socket, int receive_milliseconds, int send_milliseconds);

/* A connected pair of Unix stream sockets, close-on-exec. */
int footing_socket_pair(int pair[2]);

/* eventfd: adds one, or takes everything away. */
int footing_event_set(int event);
int footing_event_clear(int event);

/* poll(2) for readability of `first` (or writability, or neither: just hang-up) and of `second`
 * (-1: none). Bit 0: first is ready; bit 1: second is; 0: the time ran out; -errno. */
int footing_poll(int first, int first_wants, int second, int timeout_milliseconds);
#define FOOTING_POLL_NOTHING 0
#define FOOTING_POLL_READ 1
#define FOOTING_POLL_WRITE 2

/* Bytes that a stream socket could give at once (FIONREAD, tcp(7) and unix(7)), or -errno. */
int footing_receivable(int socket);

/* An exclusive flock(2) on an open file or directory, without waiting; -EAGAIN if it is held. */
int footing_flock(int descriptor);

#endif
