/*
 * Marks, which tell a reader what its partition's log has without giving a message.
 *
 * A log has offsets that are no messages: the marks of transactions, aborted messages, and what compaction or
 * deletion took away. librdkafka (2.12.1) passes over them where it fetches, and tells nobody: a reader would take the
 * offset after its last message for its place, and its group would for ever be said to lag behind. Nor does it tell
 * where a partition begins that was to begin at an offset that is gone.
 *
 * So after each answer in which there were such offsets, and wherever fetching begins anew, the broker's thread puts
 * an error __NOOP, which librdkafka gives no reader, into the partition's queue: it stands behind the messages that
 * came before, and has their version, so that a seek drops it with them. rdk::message reads it.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka these functions for its own (build.rs);
 * where it can't, places pass over such offsets with the next message only.
 */

#include "rdkafka_int.h"
#include "rdkafka_msgset.h"
#include "rdkafka_fetcher.h"

#include "marks.h"

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacements (a test of ours) has no such names. */
__attribute__((weak)) rd_kafka_resp_err_t __real_rd_kafka_msgset_parse(rd_kafka_buf_t *reply, rd_kafka_buf_t *request,
                                                                       rd_kafka_toppar_t *partition,
                                                                       rd_kafka_aborted_txns_t *aborted,
                                                                       const struct rd_kafka_toppar_ver *version);
__attribute__((weak)) rd_kafka_op_t *__real_rd_kafka_op_new_ctrl_msg(rd_kafka_toppar_t *partition, int32_t version,
                                                                     rd_kafka_buf_t *reply, rd_kafka_fetch_pos_t at);
__attribute__((weak)) rd_ts_t __real_rd_kafka_toppar_fetch_decide(rd_kafka_toppar_t *partition,
                                                                  rd_kafka_broker_t *broker, int force_remove);

/* How many marks of transactions this thread has met: librdkafka counts them as messages. */
static __thread int64_t controls;

static void mark(rd_kafka_toppar_t *partition, int32_t version, int64_t offset) {
        rd_kafka_consumer_err(partition->rktp_fetchq, RD_KAFKA_NODEID_UA, RD_KAFKA_RESP_ERR__NOOP, version, NULL,
                              partition, offset, "no message");
}

rd_kafka_op_t *__wrap_rd_kafka_op_new_ctrl_msg(rd_kafka_toppar_t *partition, int32_t version, rd_kafka_buf_t *reply,
                                               rd_kafka_fetch_pos_t at) {
        controls++;
        return __real_rd_kafka_op_new_ctrl_msg(partition, version, reply, at);
}

/* Runs on the broker's thread, which alone uses the partition's rktp_offsets. */
rd_kafka_resp_err_t __wrap_rd_kafka_msgset_parse(rd_kafka_buf_t *reply, rd_kafka_buf_t *request,
                                                 rd_kafka_toppar_t *partition, rd_kafka_aborted_txns_t *aborted,
                                                 const struct rd_kafka_toppar_ver *version) {
        const int64_t from = partition->rktp_offsets.fetch_pos.offset;
        const int64_t before = rd_atomic64_get(&partition->rktp_c.rx_msgs) - controls;
        const rd_kafka_resp_err_t err = __real_rd_kafka_msgset_parse(reply, request, partition, aborted, version);
        const int64_t messages = rd_atomic64_get(&partition->rktp_c.rx_msgs) - controls - before;
        const int64_t next = partition->rktp_offsets.fetch_pos.offset;

        /* With an offset of its own for each message there is nothing that only a mark could tell. */
        if (from >= 0 && next - from > messages)
                mark(partition, version->version, next - 1);
        return err;
}

/* Runs on the broker's thread as well, each time that it looks at the partition. */
rd_ts_t __wrap_rd_kafka_toppar_fetch_decide(rd_kafka_toppar_t *partition, rd_kafka_broker_t *broker,
                                            int force_remove) {
        const int64_t from = partition->rktp_offsets.fetch_pos.offset;
        const int32_t version = partition->rktp_fetch_version;
        const rd_ts_t backoff = __real_rd_kafka_toppar_fetch_decide(partition, broker, force_remove);
        const int64_t next = partition->rktp_offsets.fetch_pos.offset;

        if (next >= 0 && (next != from || version != partition->rktp_fetch_version))
                mark(partition, partition->rktp_fetch_version, BEGINS - next);
        return backoff;
}
#endif
