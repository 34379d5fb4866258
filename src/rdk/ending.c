/*
 * A client that is being destroyed, and waits for its group, does not keep a core busy.
 *
 * A consumer's last commit may wait for a coordinator that is away, for as long as session.timeout.ms (45 s by default). The main
 * thread of a client that is being destroyed serves its group until that has ended, and no timers any more
 * (rd_kafka_timers_run, 2.12.1); but it still asks when the next timer is due, to sleep no longer. Once one is due it
 * sleeps no more. Here it sleeps for a moment; whatever comes wakes it.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka this function for its own (build.rs).
 */

#include "rdkafka_int.h"

/* How long, in microseconds: a group looks at its times as often. */
#define MOMENT 50000

/* commit.c */
void kafka_send_commits(rd_kafka_t *rk);

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such name. */
__attribute__((weak)) rd_ts_t __real_rd_kafka_timers_next(rd_kafka_timers_t *timers, int most, int lock);

/* Its callers are the main thread of a client, and of a mock cluster. */
rd_ts_t __wrap_rd_kafka_timers_next(rd_kafka_timers_t *timers, int most, int lock) {
        const rd_ts_t next = __real_rd_kafka_timers_next(timers, most, lock);

        if (!rd_kafka_terminating(timers->rkts_rk))
                return next;
        kafka_send_commits(timers->rkts_rk);
        return RD_MAX(next, MOMENT);
}
#endif
