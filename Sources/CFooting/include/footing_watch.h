#ifndef FOOTING_WATCH_H
#define FOOTING_WATCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A socket that hears what the kernel tells of devices (NETLINK_KOBJECT_UEVENT, group 1);
 * non-blocking. -errno. */
int footing_kernel_events(void);

/* The next message of the kernel itself: `ACTION@PATH`, then `KEY=VALUE`s, each ended by a NUL.
 * The count, 0 for a message of anybody else, -EAGAIN if there is none, -ENOBUFS if some were lost,
 * or -errno. */
ssize_t footing_read_kernel_event(int socket, char *buffer, size_t capacity);

/* A set of descriptors to wait for at once (epoll(7)). Never poll the set itself: that asks the
 * mount table, which tells of a change only once. */
int footing_watch_set(void);

/* Adds a descriptor; `urgent` waits for POLLPRI instead of POLLIN, as the mount table needs. */
int footing_watch_add(int set, int descriptor, int urgent);

/* One descriptor that is ready, -EAGAIN if none is in time, or -errno. */
int footing_watch_next(int set, int timeout_milliseconds);

/* Stops waiting for a descriptor. */
int footing_watch_remove(int set, int descriptor);

/* Moves to the end, so that only what comes later is read. */
int footing_seek_end(int descriptor);

/* read(2); the count or -errno. */
ssize_t footing_read(int descriptor, void *buffer, size_t capacity);

#endif
