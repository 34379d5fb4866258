/*
 * What librdkafka opens is its process's alone.
 *
 * - It is closed in the programs that a process starts. librdkafka (2.12.1) sees to that for its sockets, but not for the
 *   pipes by which its threads wake each other, nor for the connections that its mock cluster accepts: a program that a
 *   script had started with exec or open | kept a broker's connection open for as long as it lived.
 * - A forked process has them, too, and nobody there uses them (fork.rs). It lets go of them: else a connection that its
 *   parent closes is not closed, and a port that the parent's cluster gives up is not free. The numbers stay taken, as what
 *   the child has of librdkafka's memory may name them.
 *
 * The linker gives these functions for those of the C library and of librdkafka (build.rs). Where it can't, all is as
 * librdkafka has it.
 */

#define _GNU_SOURCE
#include "descriptors.h"

#ifdef __linux__
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Weak, as a program that is linked without the replacement (a test of ours) has no such names. */
__attribute__((weak)) int __real_close(int fd);
__attribute__((weak)) int __real_rd_kafka_socket_cb_linux(int domain, int type, int protocol, void *opaque);

/* Those that are open, a bit each. Those beyond are not known, and stay open in a forked process. */
#define MOST 65536
#define BITS (8 * sizeof(unsigned long))
static unsigned long open_ones[MOST / BITS];

void kafka_note_descriptor(int fd) {
        /* Without word of what is closed nothing can be known. */
        if (__real_close && fd >= 0 && fd < MOST)
                __atomic_or_fetch(&open_ones[fd / BITS], 1UL << (fd % BITS), __ATOMIC_RELAXED);
}

int __wrap_close(int fd) {
        if (fd >= 0 && fd < MOST)
                __atomic_and_fetch(&open_ones[fd / BITS], ~(1UL << (fd % BITS)), __ATOMIC_RELAXED);
        return __real_close(fd);
}

int __wrap_pipe(int ends[2]) {
        const int r = pipe2(ends, O_CLOEXEC);

        if (r == 0) {
                kafka_note_descriptor(ends[0]);
                kafka_note_descriptor(ends[1]);
        }
        return r;
}

int __wrap_accept(int listener, struct sockaddr *peer, socklen_t *size) {
        const int fd = accept4(listener, peer, size, SOCK_CLOEXEC);

        kafka_note_descriptor(fd);
        return fd;
}

int __wrap_rd_kafka_socket_cb_linux(int domain, int type, int protocol, void *opaque) {
        const int fd = __real_rd_kafka_socket_cb_linux(domain, type, protocol, opaque);

        kafka_note_descriptor(fd);
        return fd;
}

/* Runs in a forked process, where all else stands still: only functions that are safe in a signal's handler. */
void kafka_leave_descriptors(void) {
        int null = -1;
        size_t i, bit;

        for (i = 0; i < MOST / BITS; i++) {
                for (bit = 0; open_ones[i]; bit++) {
                        if (!(open_ones[i] & (1UL << bit)))
                                continue;
                        open_ones[i] &= ~(1UL << bit);
                        if (null == -1 && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
                                return;
                        dup3(null, (int)(i * BITS + bit), O_CLOEXEC);
                }
        }
        if (null != -1)
                __real_close(null);
}
#else
void kafka_note_descriptor(int fd) {
        (void)fd;
}

void kafka_leave_descriptors(void) {
}
#endif
