/*
 * A partition that goes takes nothing along but its own.
 *
 * When librdkafka (2.12.1) lets go of a partition it empties its queue (rd_kafka_toppar_remove, rd_kafka_q_destroy_owner), and
 * where that is forwarded, as each one of ours is to its reader's queue until it has been fetched and stopped, it empties the
 * other queue instead (rd_kafka_q_purge0): the messages of all other partitions were lost, and reading went on behind them. So it
 * was of topics that the client did not know yet when they were assigned and given up.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka this function for its own (build.rs).
 */

#include "rdkafka_int.h"
#include "rdkafka_queue.h"

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such name. */
__attribute__((weak)) int __real_rd_kafka_q_purge0(rd_kafka_q_t *queue, int do_lock);

/* Any thread may call it. Whoever has its queue emptied needs its forward no more. */
int __wrap_rd_kafka_q_purge0(rd_kafka_q_t *queue, int do_lock) {
        rd_bool_t forwarded = rd_false;

        if (do_lock) {
                mtx_lock(&queue->rkq_lock);
                forwarded = (queue->rkq_flags & RD_KAFKA_Q_F_FWD_APP) && queue->rkq_fwdq;
                mtx_unlock(&queue->rkq_lock);
        }
        if (forwarded)
                rd_kafka_q_fwd_set0(queue, NULL, 1, 0);
        return __real_rd_kafka_q_purge0(queue, do_lock);
}
#endif
