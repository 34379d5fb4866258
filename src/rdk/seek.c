/*
 * Of several places to go to, the last one counts.
 *
 * Where a partition is to begin at its beginning or its end, librdkafka (2.12.1, its issue 2256) asks its leader. When
 * the script seeks elsewhere meanwhile, the answer is late, and librdkafka has it asked for again half a second later,
 * whatever the partition does by then (rd_kafka_toppar_handle_Offset): it goes back to its beginning, or skips to its
 * end, though it has been sought to a message. So an answer is taken only while the partition waits for one, and only that
 * to its last question: one that was assigned at its end twice began where that had been the first time. It is taken also after
 * a pause, by which librdkafka takes it for late as well.
 *
 * Where a partition is to go by auto.offset.reset, as its log was truncated or is another one (KIP-320), librdkafka's
 * broker thread compares that place with the last one it was sent to, and goes on where it is if they are equal
 * (rd_kafka_toppar_fetch_decide): one that had begun at 0 and read up to 5 was not sent back to 0, and skipped five messages.
 * So the last one is forgotten whenever there is a new one.
 *
 * A leader that refuses to say where a partition begins or ends, with a code that librdkafka does not ask again for, has it go by
 * auto.offset.reset (rd_kafka_toppar_handle_Offset): one that was to begin at its beginning began at its end, as its leader
 * had just started and did not know it yet (UNKNOWN_TOPIC_OR_PART). So it is asked again, twice a second, as Java's
 * consumer does (OffsetFetcherUtils), and a reader who may not ask is told each time.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka these functions for its own (build.rs).
 */

#include "rdkafka_int.h"
#include "rdkafka_metadata.h"
#include "rdkafka_offset.h"
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

__attribute__((weak)) rd_kafka_resp_err_t __real_rd_kafka_handle_ListOffsets(
    rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err, rd_kafka_buf_t *reply, rd_kafka_buf_t *request,
    rd_kafka_topic_partition_list_t *offsets, int *actions);

/* The partition whose answer is taken. */
static __thread rd_kafka_toppar_t *answered;

/* librdkafka's own function for a partition's answer: always the same. */
static rd_kafka_resp_cb_t *take;

/* A question's number stands in its request in place of the partition's version, and is higher than any of these. */
#define FIRST_NUMBER 0x40000000

/* The last question of each partition that waits for an answer, for which the request keeps the partition. A client's main
 * thread asks, and takes the answers. */
typedef struct question {
        const rd_kafka_toppar_t *partition;
        int32_t number;
        struct question *next;
} question_t;
static __thread question_t *questions[64];

/* The place of a partition's question, or of the end of those beside it. */
static question_t **find_question(const rd_kafka_toppar_t *partition) {
        question_t **at = &questions[((uintptr_t)partition >> 6) % RD_ARRAYSIZE(questions)];

        while (*at && (*at)->partition != partition)
                at = &(*at)->next;
        return at;
}

/* The number of a new question of this partition, which is the last one from now on. */
static int32_t number_question(const rd_kafka_toppar_t *partition) {
        static __thread int32_t last = FIRST_NUMBER;
        question_t **at              = find_question(partition);

        if (!*at) {
                *at              = rd_calloc(1, sizeof(**at));
                (*at)->partition = partition;
        }
        last          = last == INT32_MAX ? FIRST_NUMBER : last + 1;
        (*at)->number = last;
        return last;
}

/* Whether this is the number of the partition's last question. */
static rd_bool_t is_last_question(const rd_kafka_toppar_t *partition, int32_t number) {
        question_t *last = *find_question(partition);

        return last && last->number == number;
}

/* Forgets a question that has had its answer, unless there is another one by now. */
static void forget_question(const rd_kafka_toppar_t *partition, int32_t number) {
        question_t **at = find_question(partition);
        question_t *old = *at;

        if (old && old->number == number) {
                *at = old->next;
                rd_free(old);
        }
}

/* Runs on librdkafka's main thread, as all that changes what is compared here. */
static void answer(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err, rd_kafka_buf_t *reply,
                   rd_kafka_buf_t *request, void *opaque, int64_t asked) {
        rd_kafka_toppar_t *partition = opaque;
        const int32_t number         = request->rkbuf_replyq.version;
        rd_bool_t is_awaited         = rd_true;
        rd_bool_t is_answered        = rd_true;

        if (err != RD_KAFKA_RESP_ERR__DESTROY) {
                int64_t wanted;
                rd_kafka_toppar_lock(partition);
                wanted = partition->rktp_query_pos.offset;
                /* So many before the end are counted from there. */
                if (wanted <= RD_KAFKA_OFFSET_TAIL_BASE)
                        wanted = RD_KAFKA_OFFSET_END;
                is_awaited = partition->rktp_fetch_state == RD_KAFKA_TOPPAR_FETCH_OFFSET_WAIT && wanted == asked &&
                             is_last_question(partition, number);
                if (is_awaited) {
                        request->rkbuf_replyq.version = partition->rktp_op_version;
                        rd_kafka_fetch_pos_init(&partition->rktp_last_next_fetch_start);
                }
                rd_kafka_toppar_unlock(partition);
        }
        rd_kafka_toppar_keep(partition);
        if (is_awaited) {
                answered = partition;
                __atomic_load_n(&take, __ATOMIC_RELAXED)(rk, rkb, err, reply, request, opaque);
                answered = NULL;
                rd_kafka_toppar_lock(partition);
                /* While it waits, librdkafka has sent the request again. */
                is_answered = err == RD_KAFKA_RESP_ERR__DESTROY ||
                              partition->rktp_fetch_state != RD_KAFKA_TOPPAR_FETCH_OFFSET_WAIT;
                rd_kafka_toppar_unlock(partition);
        } else {
                /* The request's reference. */
                rd_kafka_toppar_destroy(partition);
        }
        if (is_answered)
                forget_question(partition, number);
        rd_kafka_toppar_destroy(partition);
}

static void answer_beginning(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err, rd_kafka_buf_t *reply,
                             rd_kafka_buf_t *request, void *opaque) {
        answer(rk, rkb, err, reply, request, opaque, RD_KAFKA_OFFSET_BEGINNING);
}

static void answer_end(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err, rd_kafka_buf_t *reply,
                       rd_kafka_buf_t *request, void *opaque) {
        answer(rk, rkb, err, reply, request, opaque, RD_KAFKA_OFFSET_END);
}

/* With actions that have librdkafka ask again. What the client itself says is for good. */
rd_kafka_resp_err_t __wrap_rd_kafka_handle_ListOffsets(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err,
                                                       rd_kafka_buf_t *reply, rd_kafka_buf_t *request,
                                                       rd_kafka_topic_partition_list_t *offsets, int *actions) {
        int64_t asked;

        err = __real_rd_kafka_handle_ListOffsets(rk, rkb, err, reply, request, offsets, actions);
        if (!answered || !actions || !(err > 0 || err == RD_KAFKA_RESP_ERR_UNKNOWN) ||
            *actions & (RD_KAFKA_ERR_ACTION_RETRY | RD_KAFKA_ERR_ACTION_REFRESH))
                return err;
        rd_kafka_toppar_lock(answered);
        asked = answered->rktp_query_pos.offset;
        rd_kafka_toppar_unlock(answered);
        if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
                rd_kafka_metadata_refresh_known_topics(rk, NULL, rd_true /*force*/, "the leader does not know a partition");
        else
                rd_kafka_consumer_err(answered->rktp_fetchq, rd_kafka_broker_id(rkb), err, 0, NULL, answered,
                                      RD_KAFKA_OFFSET_INVALID, "Failed to query logical offset %s: %s",
                                      rd_kafka_offset2str(asked), rd_kafka_err2str(err));
        *actions |= RD_KAFKA_ERR_ACTION_REFRESH;
        return err;
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
                        callback       = asked == RD_KAFKA_OFFSET_END ? answer_end : answer_beginning;
                        replyq.version = number_question(opaque);
                }
        }
        __real_rd_kafka_ListOffsetsRequest(rkb, offsets, replyq, callback, timeout_ms, opaque);
}
#endif
