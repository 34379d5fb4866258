/*
 * Late answers to the question where a partition begins or ends.
 *
 * Where a partition is to be read from its end (or its beginning), librdkafka (2.12.1) asks the leader. If the
 * partition is sought in meanwhile, or stopped, the answer is out of date; and then librdkafka asks again half a
 * second later, whatever the partition does by then. Reading that had begun where the later seek went to jumps to
 * the place of the earlier one, and skips what is between; a partition that was stopped is fetched.
 *
 * So such an answer is dropped where the partition no longer waits for one, and where the right answer has come,
 * nothing is asked again.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka this function for its own (build.rs).
 */

#include "rdkafka_int.h"
#include "rdkafka_partition.h"
#include "rdkafka_request.h"

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacements (a test of ours) has no such name. */
__attribute__((weak)) void __real_rd_kafka_ListOffsetsRequest(rd_kafka_broker_t *broker,
                                                              rd_kafka_topic_partition_list_t *partitions,
                                                              rd_kafka_replyq_t replyq, rd_kafka_resp_cb_t *answered,
                                                              int timeout_ms, void *opaque);

/* What librdkafka has answers of this kind handled by: one function, which has no name outside of its file. */
static rd_kafka_resp_cb_t *volatile handle;

static void answered(rd_kafka_t *client, rd_kafka_broker_t *broker, rd_kafka_resp_err_t err, rd_kafka_buf_t *reply,
                     rd_kafka_buf_t *request, void *opaque) {
        rd_kafka_toppar_t *partition = opaque;
        int waits, late, active;

        rd_kafka_toppar_lock(partition);
        waits = partition->rktp_fetch_state == RD_KAFKA_TOPPAR_FETCH_OFFSET_QUERY ||
                partition->rktp_fetch_state == RD_KAFKA_TOPPAR_FETCH_OFFSET_WAIT;
        late = rd_kafka_buf_version_outdated(request, partition->rktp_op_version);
        rd_kafka_toppar_unlock(partition);

        if (late && !waits && err != RD_KAFKA_RESP_ERR__DESTROY) {
                rd_kafka_toppar_destroy(partition); /* the request's reference */
                return;
        }

        rd_kafka_toppar_keep(partition);
        handle(client, broker, err, reply, request, opaque);
        rd_kafka_toppar_lock(partition);
        active = partition->rktp_fetch_state == RD_KAFKA_TOPPAR_FETCH_ACTIVE;
        rd_kafka_toppar_unlock(partition);
        /* A late answer may have set it before the right one came. */
        if (active)
                rd_kafka_timer_stop(&client->rk_timers, &partition->rktp_offset_query_tmr, 1 /*lock*/);
        rd_kafka_toppar_destroy(partition);
}

void __wrap_rd_kafka_ListOffsetsRequest(rd_kafka_broker_t *broker, rd_kafka_topic_partition_list_t *partitions,
                                        rd_kafka_replyq_t replyq, rd_kafka_resp_cb_t *callback, int timeout_ms,
                                        void *opaque) {
        /* Of those who ask, only the fetching of a partition has a version that can be out of date. */
        if (replyq.version > 0) {
                handle = callback;
                callback = answered;
        }
        __real_rd_kafka_ListOffsetsRequest(broker, partitions, replyq, callback, timeout_ms, opaque);
}
#endif
