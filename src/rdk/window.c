/*
 * An idempotent producer sleeps while its window is full.
 *
 * Of a partition of which five messages or more are under way it sends no more, so that the broker can tell repeated
 * ones. librdkafka (2.12.1, and 2.16 alike) still has its broker thread wake for the messages that wait, at the
 * time when linger.ms allows them to go; when that is past it wakes at once, sends nothing, and goes on like this
 * until an answer comes (rd_kafka_toppar_producer_serve): a core is busy for each broker that takes a
 * while. The same while a partition waits for all that is under way. An answer wakes the thread anyway, so until then
 * such a partition asks for no wake.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka this function for its own (build.rs).
 */

#include <stddef.h>

#include "rdkafka_int.h"
#include "rdkafka_idempotence.h"
#include "rdkafka_msg.h"
#include "rdkafka_partition.h"

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such name. */
__attribute__((weak)) rd_bool_t __real_rd_kafka_msgq_allow_wakeup_at(rd_kafka_msgq_t *queue,
                                                                     const rd_kafka_msgq_t *waiting, rd_ts_t *wake,
                                                                     rd_ts_t now, rd_ts_t linger_us,
                                                                     int32_t batch_messages, int64_t batch_size);

/* Runs on a broker's thread with the partition's lock held; the queue is always the partition's own. */
rd_bool_t __wrap_rd_kafka_msgq_allow_wakeup_at(rd_kafka_msgq_t *queue, const rd_kafka_msgq_t *waiting, rd_ts_t *wake,
                                               rd_ts_t now, rd_ts_t linger_us, int32_t batch_messages,
                                               int64_t batch_size) {
        rd_kafka_toppar_t *partition =
            (rd_kafka_toppar_t *)((char *)queue - offsetof(rd_kafka_toppar_t, rktp_msgq));
        rd_ts_t unused = RD_TS_MAX;

        if (wake && rd_kafka_is_idempotent(partition->rktp_rkt->rkt_rk)) {
                const int under_way = rd_atomic32_get(&partition->rktp_msgs_inflight);

                if (under_way >= RD_KAFKA_IDEMP_MAX_INFLIGHT || (under_way > 0 && partition->rktp_eos.wait_drain))
                        wake = &unused;
        }
        return __real_rd_kafka_msgq_allow_wakeup_at(queue, waiting, wake, now, linger_us, batch_messages, batch_size);
}
#endif
