/*
 * What is done to a partition counts in the order in which it was asked for.
 *
 * To start, stop, seek, pause or resume a partition librdkafka (2.12.1) takes a new version of it, and then queues an
 * operation of that version for its main thread, which drops those that are older than the last one it has done
 * (rd_kafka_toppar_op_serve). Two threads can take their versions in one order and queue their operations in the other:
 * the first one's is dropped then, and nobody is told. So a script's resume was dropped for the pause by which librdkafka
 * keeps a member's partitions silent while its group changes hands, and the partition stayed paused through every later
 * assignment. In the same way the end of that pause can be lost to a script's call, and a resume or a start to a seek
 * on another thread.
 *
 * So the main thread alone takes versions: what another thread asks for is sent to it as a whole.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka these functions for its own (build.rs).
 */

#include "rdkafka_int.h"
#include "rdkafka_op.h"
#include "rdkafka_partition.h"
#include "rdkafka_queue.h"

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such names. */
__attribute__((weak)) rd_kafka_resp_err_t __real_rd_kafka_toppar_op_fetch_start(rd_kafka_toppar_t *partition,
                                                                                rd_kafka_fetch_pos_t place,
                                                                                rd_kafka_q_t *forward,
                                                                                rd_kafka_replyq_t replyq);
__attribute__((weak)) rd_kafka_resp_err_t __real_rd_kafka_toppar_op_fetch_stop(rd_kafka_toppar_t *partition,
                                                                               rd_kafka_replyq_t replyq);
__attribute__((weak)) rd_kafka_resp_err_t
__real_rd_kafka_toppar_op_seek(rd_kafka_toppar_t *partition, rd_kafka_fetch_pos_t place, rd_kafka_replyq_t replyq);
__attribute__((weak)) rd_kafka_resp_err_t
__real_rd_kafka_toppars_pause_resume(rd_kafka_t *rk, rd_bool_t pause, rd_async_t async, int flag,
                                     rd_kafka_topic_partition_list_t *partitions);

/* What a thread asks the main thread to do. */
typedef struct {
        enum { START, STOP, SEEK, PAUSE, PAUSED } what;
        rd_kafka_toppar_t *partition;
        rd_kafka_fetch_pos_t place;
        rd_kafka_q_t *forward;
        rd_kafka_replyq_t replyq;
        rd_bool_t pause;
        int flag;
        rd_kafka_topic_partition_list_t *partitions; /* the asking thread's, which waits */
} change_t;

static void send_change(rd_kafka_t *rk, change_t *change);

static void end_change(change_t *change, rd_kafka_resp_err_t err) {
        rd_kafka_op_t *op;

        if (change->replyq.q) {
                op          = rd_kafka_op_new(RD_KAFKA_OP_PAUSE | RD_KAFKA_OP_REPLY);
                op->rko_err = err;
                rd_kafka_replyq_enq(&change->replyq, op, 0);
        }
        if (change->forward)
                rd_kafka_q_destroy(change->forward);
        if (change->partition)
                rd_kafka_toppar_destroy(change->partition);
        rd_free(change);
}

/* Runs on the main thread; or, with _DESTROY, on whichever finds that there is none any more. */
static rd_kafka_op_res_t do_change(rd_kafka_t *rk, rd_kafka_q_t *rkq, rd_kafka_op_t *op) {
        change_t *change = (change_t *)op->rko_u.fetch_start.rkcg;
        (void)rkq;

        if (op->rko_err == RD_KAFKA_RESP_ERR__DESTROY) {
                end_change(change, RD_KAFKA_RESP_ERR__DESTROY);
                return RD_KAFKA_OP_RES_HANDLED;
        }
        switch (change->what) {
        case START:
                __real_rd_kafka_toppar_op_fetch_start(change->partition, change->place, change->forward,
                                                      change->replyq);
                break;
        case STOP:
                __real_rd_kafka_toppar_op_fetch_stop(change->partition, change->replyq);
                break;
        case SEEK:
                /* A question that waits for its time would be asked after all, and its answer be gone to. */
                rd_kafka_timer_stop(&rk->rk_timers, &change->partition->rktp_offset_query_tmr, 1 /* lock */);
                __real_rd_kafka_toppar_op_seek(change->partition, change->place, change->replyq);
                break;
        case PAUSE:
                __real_rd_kafka_toppars_pause_resume(rk, change->pause, RD_ASYNC, change->flag, change->partitions);
                /* Comes behind the operations that this has queued: it is told when they are done. */
                change->what = PAUSED;
                send_change(rk, change);
                return RD_KAFKA_OP_RES_HANDLED;
        case PAUSED:
                end_change(change, RD_KAFKA_RESP_ERR_NO_ERROR);
                return RD_KAFKA_OP_RES_HANDLED;
        }
        /* The answer is the operation's. */
        rd_kafka_replyq_clear(&change->replyq);
        end_change(change, RD_KAFKA_RESP_ERR_NO_ERROR);
        return RD_KAFKA_OP_RES_HANDLED;
}

static void send_change(rd_kafka_t *rk, change_t *change) {
        rd_kafka_op_t *op = rd_kafka_op_new_cb(rk, RD_KAFKA_OP_FETCH_START, do_change);

        /* The one pointer that such an operation has room for. */
        op->rko_u.fetch_start.rkcg = (rd_kafka_cgrp_t *)change;
        rd_kafka_q_enq(rk->rk_ops, op);
}

/* Sends what is to be done to one partition. */
static rd_kafka_resp_err_t send_one(rd_kafka_toppar_t *partition, change_t change) {
        change_t *sent = rd_malloc(sizeof(*sent));

        *sent           = change;
        sent->partition = rd_kafka_toppar_keep(partition);
        send_change(partition->rktp_rkt->rkt_rk, sent);
        return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_bool_t on_main_thread(rd_kafka_t *rk) {
        return thrd_is_current(rk->rk_thread);
}

rd_kafka_resp_err_t __wrap_rd_kafka_toppar_op_fetch_start(rd_kafka_toppar_t *partition, rd_kafka_fetch_pos_t place,
                                                          rd_kafka_q_t *forward, rd_kafka_replyq_t replyq) {
        if (on_main_thread(partition->rktp_rkt->rkt_rk))
                return __real_rd_kafka_toppar_op_fetch_start(partition, place, forward, replyq);
        return send_one(partition, (change_t) {.what    = START,
                                               .place   = place,
                                               .forward = forward ? rd_kafka_q_keep(forward) : NULL,
                                               .replyq  = replyq});
}

rd_kafka_resp_err_t __wrap_rd_kafka_toppar_op_fetch_stop(rd_kafka_toppar_t *partition, rd_kafka_replyq_t replyq) {
        if (on_main_thread(partition->rktp_rkt->rkt_rk))
                return __real_rd_kafka_toppar_op_fetch_stop(partition, replyq);
        return send_one(partition, (change_t) {.what = STOP, .replyq = replyq});
}

rd_kafka_resp_err_t __wrap_rd_kafka_toppar_op_seek(rd_kafka_toppar_t *partition, rd_kafka_fetch_pos_t place,
                                                   rd_kafka_replyq_t replyq) {
        if (on_main_thread(partition->rktp_rkt->rkt_rk))
                return __real_rd_kafka_toppar_op_seek(partition, place, replyq);
        return send_one(partition, (change_t) {.what = SEEK, .place = place, .replyq = replyq});
}

rd_kafka_resp_err_t __wrap_rd_kafka_toppars_pause_resume(rd_kafka_t *rk, rd_bool_t pause, rd_async_t async, int flag,
                                                         rd_kafka_topic_partition_list_t *partitions) {
        rd_kafka_q_t *answers;
        rd_kafka_resp_err_t err;
        change_t *change;

        if (on_main_thread(rk))
                return __real_rd_kafka_toppars_pause_resume(rk, pause, async, flag, partitions);
        /* Others than the main thread always wait. */
        answers            = rd_kafka_q_new(rk);
        change             = rd_calloc(1, sizeof(*change));
        change->what       = PAUSE;
        change->pause      = pause;
        change->flag       = flag;
        change->partitions = partitions;
        change->replyq     = RD_KAFKA_REPLYQ(answers, 0);
        send_change(rk, change);
        err = rd_kafka_q_wait_result(answers, RD_POLL_INFINITE);
        rd_kafka_q_destroy_owner(answers);
        return err;
}
#endif
