#define _GNU_SOURCE
#include "footing_watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int footing_kernel_events(void)
{
	int events = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			    NETLINK_KOBJECT_UEVENT);
	if (events < 0)
		return -errno;
	/* A controller that appears brings hundreds of devices with it. */
	int size = 1 << 20;
	setsockopt(events, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	/* Group 1 is the kernel; group 2 is udev's, which repeats it when it is done. */
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	if (bind(events, (struct sockaddr *)&address, sizeof address) < 0) {
		int error = errno;
		close(events);
		return -error;
	}
	return events;
}

ssize_t footing_read_kernel_event(int socket, char *buffer, size_t capacity)
{
	struct sockaddr_nl sender;
	socklen_t length = sizeof sender;
	memset(&sender, 0, sizeof sender);
	ssize_t count = recvfrom(socket, buffer, capacity, 0, (struct sockaddr *)&sender, &length);
	if (count < 0)
		return -errno;
	/* A process may send to the group too; only the kernel has the number 0. */
	return sender.nl_pid == 0 ? count : 0;
}

int footing_watch_set(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	return set < 0 ? -errno : set;
}

int footing_watch_add(int set, int descriptor, int urgent)
{
	struct epoll_event event = {.events = urgent ? EPOLLPRI : EPOLLIN, .data.fd = descriptor};
	return epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

int footing_watch_next(int set, int timeout_milliseconds)
{
	struct epoll_event event;
	int count = epoll_wait(set, &event, 1, timeout_milliseconds);
	if (count < 0)
		return -errno;
	return count == 0 ? -EAGAIN : event.data.fd;
}

int footing_watch_remove(int set, int descriptor)
{
	return epoll_ctl(set, EPOLL_CTL_DEL, descriptor, NULL) < 0 ? -errno : 0;
}

int footing_seek_end(int descriptor)
{
	return lseek(descriptor, 0, SEEK_END) < 0 ? -errno : 0;
}

ssize_t footing_read(int descriptor, void *buffer, size_t capacity)
{
	ssize_t count = read(descriptor, buffer, capacity);
	return count < 0 ? -errno : count;
}
