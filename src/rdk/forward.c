/*
 * What the application forwards stays forwarded.
 *
 * Each partition's messages are forwarded to its reader's queue before it is assigned (src/cmd/reader/assigned.rs). librdkafka
 * (2.12.1) ends the forward when it stops a partition (rd_kafka_toppar_fetch_stop), and does that on its own thread, in
 * its own time: when a partition is assigned anew right after it was taken away, the old stop may come after the
 * new forward. Then the new fetch finds the mark of an application that forwards by itself, sets nothing
 * (rd_kafka_toppar_op_fetch_start), and the messages lie in the partition's own queue, where nobody reads, until the
 * next assignment: a partition that is assigned, fetched and silent.
 *
 * So a stop leaves an application's forward as it is. What is fetched until the stop goes to the same reader, which
 * drops what is not its own any more.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka this function for its own (build.rs).
 */

#include "rdkafka_int.h"
#include "rdkafka_queue.h"

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such name. */
__attribute__((weak)) void __real_rd_kafka_q_fwd_set0(rd_kafka_q_t *from, rd_kafka_q_t *to, int do_lock,
                                                      int by_application);

void __wrap_rd_kafka_q_fwd_set0(rd_kafka_q_t *from, rd_kafka_q_t *to, int do_lock, int by_application) {
        rd_bool_t keep;

        /* A queue that is being destroyed comes without the lock, and gives up its forward. */
        if (!to && do_lock && !by_application) {
                mtx_lock(&from->rkq_lock);
                keep = (from->rkq_flags & RD_KAFKA_Q_F_FWD_APP) != 0;
                mtx_unlock(&from->rkq_lock);
                if (keep)
                        return;
        }
        __real_rd_kafka_q_fwd_set0(from, to, do_lock, by_application);
}
#endif
