/*
 * Of several places to go to, the last one counts.
 *
 * Where a partition is to begin at its beginning or its end, librdkafka (2.12.1, its issue 2256) asks its leader. When
 * the script seeks elsewhere meanwhile, the answer is late, and librdkafka has it asked for again half a second later,
 * whatever the partition does by then (rd_kafka_toppar_handle_Offset): it goes back to its beginning, or skips to its
 * end, though it has been sought to a message. So an answer is taken only while the partition waits for one, and for
 * that one. It is taken also after a pause, by which librdkafka takes it for late as well.
 *
 * Where a partition is to go by auto.offset.reset, as its log was truncated or is another one (KIP-320), librdkafka's
 * broker thread compares that place with the last one it was sent to, and goes on where it is if they are equal
 * (rd_kafka_toppar_fetch_decide): one that had begun at 0 and read up to 5 was not sent back to 0, and skipped five messages.
 * So the last one is forgotten whenever there is a new one.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka these functions for its own (build.rs).
 */

#include "rdkafka_int.h"
#include "rdkafka_partition.h"
#include "rdkafka_request.h"

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such names. */
__attribute__((weak)) void __real_rd_kafka_toppar_next_offset_handle(rd_kafka_toppar_t *partition,
                                                                     rd_kafka_fetch_pos_t place);
__attribute__((weak)) void __real_rd_kafka_ListOffsetsRequest(rd_kafka_broker_t *rkb,
                                                              rd_kafka_topic_partition_list_t *offsets,
                                                              rd_kafka_replyq_t replyq, rd_kafka_resp_cb_t *answer,
                                                              int timeout_ms, void *opaque);

/* librdkafka's own function for a partition's answer: always the same. */
static rd_kafka_resp_cb_t *take;

/* Runs on librdkafka's main thread, as all that changes what is compared here. */
static void answer(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err, rd_kafka_buf_t *reply,
                   rd_kafka_buf_t *request, void *opaque, int64_t asked) {
        rd_kafka_toppar_t *partition = opaque;
        rd_bool_t awaited;

        if (err != RD_KAFKA_RESP_ERR__DESTROY) {
                int64_t wanted;
                rd_kafka_toppar_lock(partition);
                wanted = partition->rktp_query_pos.offset;
                /* So many before the end are counted from there. */
                if (wanted <= RD_KAFKA_OFFSET_TAIL_BASE)
                        wanted = RD_KAFKA_OFFSET_END;
                awaited = partition->rktp_fetch_state == RD_KAFKA_TOPPAR_FETCH_OFFSET_WAIT && wanted == asked;
                if (awaited) {
                        request->rkbuf_replyq.version = partition->rktp_op_version;
                        rd_kafka_fetch_pos_init(&partition->rktp_last_next_fetch_start);
                }
                rd_kafka_toppar_unlock(partition);
                if (!awaited) {
                        /* The request's reference. */
                        rd_kafka_toppar_destroy(partition);
                        return;
                }
        }
        __atomic_load_n(&take, __ATOMIC_RELAXED)(rk, rkb, err, reply, request, opaque);
}

static void answer_beginning(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err, rd_kafka_buf_t *reply,
                             rd_kafka_buf_t *request, void *opaque) {
        answer(rk, rkb, err, reply, request, opaque, RD_KAFKA_OFFSET_BEGINNING);
}

static void answer_end(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err, rd_kafka_buf_t *reply,
                       rd_kafka_buf_t *request, void *opaque) {
        answer(rk, rkb, err, reply, request, opaque, RD_KAFKA_OFFSET_END);
}

/* Runs with the partition locked; for places that librdkafka did not have to ask for. */
void __wrap_rd_kafka_toppar_next_offset_handle(rd_kafka_toppar_t *partition, rd_kafka_fetch_pos_t place) {
        rd_kafka_fetch_pos_init(&partition->rktp_last_next_fetch_start);
        __real_rd_kafka_toppar_next_offset_handle(partition, place);
}

void __wrap_rd_kafka_ListOffsetsRequest(rd_kafka_broker_t *rkb, rd_kafka_topic_partition_list_t *offsets,
                                        rd_kafka_replyq_t replyq, rd_kafka_resp_cb_t *callback, int timeout_ms,
                                        void *opaque) {
        /* Only a partition that is to begin has a version. */
        if (replyq.version > 0 && offsets->cnt == 1) {
                const int64_t asked = offsets->elems[0].offset;
                if (asked == RD_KAFKA_OFFSET_BEGINNING || asked == RD_KAFKA_OFFSET_END) {
                        __atomic_store_n(&take, callback, __ATOMIC_RELAXED);
                        callback = asked == RD_KAFKA_OFFSET_END ? answer_end : answer_beginning;
                }
        }
        __real_rd_kafka_ListOffsetsRequest(rkb, offsets, replyq, callback, timeout_ms, opaque);
}
#endif
