/*
 * The system's clock may be set back.
 *
 * librdkafka's threads wait with a time limit that it takes from the system's clock (cnd_timedwait_ms, 2.12.1). When that is
 * set back, by an hour say, by hand, by a time server or in a virtual machine that goes on, a wait that has begun lasts an hour
 * longer: the thread that sends heartbeats, looks at its timers and asks again for what was refused is among them. A
 * member is put out of its group meanwhile, and does not know it. Here the limit is one of the clock that nobody sets, as all
 * other times of librdkafka's are (rd_clock).
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka these functions for its own (build.rs).
 */

#include "rd.h"
#include "rdtime.h"
#include "tinycthread.h"
#include "tinycthread_extra.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such names. */
__attribute__((weak)) int __real_cnd_timedwait_ms(cnd_t *cnd, mtx_t *mtx, int timeout_ms);
__attribute__((weak)) int __real_cnd_timedwait_abs(cnd_t *cnd, mtx_t *mtx, rd_ts_t abs_timeout);

/* glibc has it since 2.30, musl has not. */
extern int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *end) __attribute__((weak));

/* Waits until `end`, in microseconds of rd_clock. */
static int wait_until(cnd_t *cnd, mtx_t *mtx, rd_ts_t end) {
        const struct timespec when = {.tv_sec = (time_t)(end / 1000000), .tv_nsec = (long)(end % 1000000) * 1000};

        switch (pthread_cond_clockwait((pthread_cond_t *)cnd, (pthread_mutex_t *)mtx, CLOCK_MONOTONIC, &when)) {
        case 0:
                return thrd_success;
        case ETIMEDOUT:
                return thrd_timedout;
        default:
                return thrd_error;
        }
}

int __wrap_cnd_timedwait_ms(cnd_t *cnd, mtx_t *mtx, int timeout_ms) {
        if (!pthread_cond_clockwait)
                return __real_cnd_timedwait_ms(cnd, mtx, timeout_ms);
        if (timeout_ms == RD_POLL_INFINITE)
                return cnd_wait(cnd, mtx);
        return wait_until(cnd, mtx, rd_clock() + (rd_ts_t)timeout_ms * 1000);
}

int __wrap_cnd_timedwait_abs(cnd_t *cnd, mtx_t *mtx, rd_ts_t abs_timeout) {
        if (!pthread_cond_clockwait)
                return __real_cnd_timedwait_abs(cnd, mtx, abs_timeout);
        if (abs_timeout == RD_POLL_INFINITE)
                return cnd_wait(cnd, mtx);
        if (abs_timeout == RD_POLL_NOWAIT)
                return thrd_timedout;
        return wait_until(cnd, mtx, abs_timeout);
}
#endif
