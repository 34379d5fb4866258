/*
 * What an idempotent producer sends again keeps its numbers when a batch before it was refused.
 *
 * With several requests under way a batch behind one that was refused, and is to come again, is refused, too:
 * OUT_OF_ORDER_SEQUENCE_NUMBER. librdkafka (2.12.1, rd_kafka_handle_idempotent_Produce_error) begins a new epoch of
 * the producer for that. All partitions number their messages anew then, also those of another leader whose connection
 * broke meanwhile: what was written there, and not acknowledged, comes again under a number that the broker does not
 * know, and is there twice. A transaction has to be aborted for it. It is not needed while what is missing is to come:
 * the batches are sent again in their order, as Java's producer does (TransactionManager.canRetry), and not before all of the
 * partition that are under way have their answers.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka these functions for its own (build.rs).
 */

#include "rdkafka_int.h"
#include "rdkafka_broker.h"
#include "rdkafka_idempotence.h"
#include "rdkafka_msg.h"
#include "rdkafka_partition.h"

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such names. */
__attribute__((weak)) void __real_rd_kafka_idemp_drain_epoch_bump0(rd_kafka_t *rk, rd_bool_t allow_txn_abort,
                                                                   rd_kafka_resp_err_t err, const char *fmt, ...);
__attribute__((weak)) void __real_rd_kafka_buf_callback(rd_kafka_t *rk, rd_kafka_broker_t *broker,
                                                        rd_kafka_resp_err_t err, rd_kafka_buf_t *answer,
                                                        rd_kafka_buf_t *request);

/* The partition whose batch has an answer that this thread looks at, and the broker that the thread is of. */
static __thread rd_kafka_toppar_t *answered;
static __thread rd_kafka_broker_t *answering;

/* Runs on the thread that handles an answer, of whatever request. */
void __wrap_rd_kafka_buf_callback(rd_kafka_t *rk, rd_kafka_broker_t *broker, rd_kafka_resp_err_t err,
                                  rd_kafka_buf_t *answer, rd_kafka_buf_t *request) {
        if (request->rkbuf_reqhdr.ApiKey == RD_KAFKAP_Produce)
                answered = request->rkbuf_u.Produce.batch.rktp;
        answering = broker;
        __real_rd_kafka_buf_callback(rk, broker, err, answer, request);
        answered = NULL;
}

/* Whether a queue's first message has this number in the partition's sequence. */
static rd_bool_t begins_with(const rd_kafka_msgq_t *queue, const rd_kafka_toppar_t *partition, int32_t sequence) {
        const rd_kafka_msg_t *first = rd_kafka_msgq_first(queue);

        return first && first->rkm_u.producer.msgid >= partition->rktp_eos.epoch_base_msgid &&
               rd_kafka_seq_wrap(first->rkm_u.producer.msgid - partition->rktp_eos.epoch_base_msgid) == sequence;
}

/* Whether the message that the broker waits for is queued to be sent again. The queue of what is about to be sent has no
 * lock: it is its leader's thread's. Where the leader has changed, the answer is its former leader's thread's to handle. */
static rd_bool_t is_to_come(rd_kafka_toppar_t *partition, const rd_kafka_broker_t *broker) {
        rd_bool_t found;

        rd_kafka_toppar_lock(partition);
        found = begins_with(&partition->rktp_msgq, partition, partition->rktp_eos.next_ack_seq) ||
                (partition->rktp_broker == broker &&
                 begins_with(&partition->rktp_xmit_msgq, partition, partition->rktp_eos.next_ack_seq));
        rd_kafka_toppar_unlock(partition);
        return found;
}

/* Runs on a broker's thread, when it handles an answer or has found messages whose time is over. */
void __wrap_rd_kafka_idemp_drain_epoch_bump0(rd_kafka_t *rk, rd_bool_t allow_txn_abort, rd_kafka_resp_err_t err,
                                             const char *fmt, ...) {
        char why[256];
        va_list words;

        if (err == RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER && answered && is_to_come(answered, answering))
                return;
        va_start(words, fmt);
        rd_vsnprintf(why, sizeof(why), fmt, words);
        va_end(words);
        __real_rd_kafka_idemp_drain_epoch_bump0(rk, allow_txn_abort, err, "%s", why);
}
#endif
