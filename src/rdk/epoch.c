/*
 * A member that was put out of its group, or that the group does not know any more for another reason, joins again.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka these functions for its own (build.rs).
 * All runs on librdkafka's main thread.
 */

#include "rdkafka_int.h"
#include "rdkafka_cgrp.h"
#include "rdkafka_request.h"

/* Are not in a header of librdkafka's. */
void rd_kafka_cgrp_consumer_group_heartbeat(rd_kafka_cgrp_t *rkcg, rd_bool_t full_request, rd_bool_t send_ack);
void rd_kafka_cgrp_handle_ConsumerGroupHeartbeat(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err,
                                                 rd_kafka_buf_t *rkbuf, rd_kafka_buf_t *request, void *opaque);

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such names. */
__attribute__((weak)) void __real_rd_kafka_ConsumerGroupHeartbeatRequest(
    rd_kafka_broker_t *rkb, const rd_kafkap_str_t *group_id, const rd_kafkap_str_t *member_id, int32_t member_epoch,
    const rd_kafkap_str_t *group_instance_id, const rd_kafkap_str_t *rack_id, int32_t rebalance_timeout_ms,
    const rd_kafka_topic_partition_list_t *topics, rd_kafkap_str_t *regex,
    const rd_kafkap_str_t *remote_assignor, const rd_kafka_topic_partition_list_t *assignment,
    rd_kafka_replyq_t replyq, rd_kafka_resp_cb_t *resp_cb, void *opaque);
/* In commit.c. */
rd_kafka_resp_err_t kafka_handle_commit(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err,
                                        rd_kafka_buf_t *reply, rd_kafka_buf_t *request,
                                        rd_kafka_topic_partition_list_t *offsets, rd_bool_t is_admin);

__attribute__((weak)) void __real_rd_kafka_JoinGroupRequest(rd_kafka_broker_t *rkb, const rd_kafkap_str_t *group_id,
                                                            const rd_kafkap_str_t *member_id,
                                                            const rd_kafkap_str_t *group_instance_id,
                                                            const rd_kafkap_str_t *protocol_type,
                                                            const rd_list_t *topics, rd_kafka_replyq_t replyq,
                                                            rd_kafka_resp_cb_t *resp_cb, void *opaque);

/*
 * Has a member that was put out, and is about to join again, claim only what it holds.
 *
 * When a member has lost all while it was asked to give up some, it gives up all (subscriber/group.rs), and librdkafka
 * (2.12.1) knows only of the partitions that it asked for. It would tell the group that the member has the others, be
 * assigned them, and not assign them anew.
 */
static void claim_what_is_held(rd_kafka_cgrp_t *rkcg) {
        const rd_kafka_topic_partition_list_t *held = rkcg->rkcg_rk->rk_consumer.assignment.all;
        rd_kafka_topic_partition_list_t *claimed    = rkcg->rkcg_group_assignment;
        int i;

        if (!claimed)
                return;
        for (i = claimed->cnt - 1; i >= 0; i--) {
                const rd_kafka_topic_partition_t *p = &claimed->elems[i];

                if (!rd_kafka_topic_partition_list_find(held, p->topic, p->partition))
                        rd_kafka_topic_partition_list_del_by_idx(claimed, i);
        }
        if (claimed->cnt == 0) {
                rd_kafka_topic_partition_list_destroy(claimed);
                rkcg->rkcg_group_assignment = NULL;
        }
        rd_kafka_wrlock(rkcg->rkcg_rk);
        rkcg->rkcg_c.assignment_size = rkcg->rkcg_group_assignment ? rkcg->rkcg_group_assignment->cnt : 0;
        rd_kafka_wrunlock(rkcg->rkcg_rk);
}

/* Of the classic protocol. One that is in its group may join again while an assignment waits for its answer, and claims
 * that, too. Whose generation was refused keeps its id, and has lost all like one that is unknown (kafka_is_out). */
void __wrap_rd_kafka_JoinGroupRequest(rd_kafka_broker_t *rkb, const rd_kafkap_str_t *group_id,
                                      const rd_kafkap_str_t *member_id, const rd_kafkap_str_t *group_instance_id,
                                      const rd_kafkap_str_t *protocol_type, const rd_list_t *topics,
                                      rd_kafka_replyq_t replyq, rd_kafka_resp_cb_t *resp_cb, void *opaque) {
        rd_kafka_cgrp_t *rkcg = rkb->rkb_rk->rk_cgrp;

        if (rkcg && (RD_KAFKAP_STR_LEN(member_id) == 0 || rkcg->rkcg_generation_id == -1))
                claim_what_is_held(rkcg);
        __real_rd_kafka_JoinGroupRequest(rkb, group_id, member_id, group_instance_id, protocol_type, topics, replyq,
                                         resp_cb, opaque);
}

/*
 * A heartbeat whose answer is lost may have changed the group all the same: the broker has given the member a new epoch, and
 * partitions, and tells of them only once. It tells them again to a member that sends all of itself, as Java's client
 * does after each error. librdkafka (2.12.1) does so when the connection is lost, but not when the answer is
 * late, after heartbeat.interval.ms of the group: the member then never heard of partitions that it had, or was
 * refused for its old epoch and lost what it held. So every heartbeat that is not answered well is followed by one that
 * tells all; a good answer ends that (rd_kafka_cgrp_handle_ConsumerGroupHeartbeat).
 */
static void answered(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err, rd_kafka_buf_t *rkbuf,
                     rd_kafka_buf_t *request, void *opaque) {
        if (err != RD_KAFKA_RESP_ERR__DESTROY)
                rk->rk_cgrp->rkcg_consumer_flags |= RD_KAFKA_CGRP_CONSUMER_F_SEND_FULL_REQUEST;
        rd_kafka_cgrp_handle_ConsumerGroupHeartbeat(rk, rkb, err, rkbuf, request, opaque);
}

/* The same for one that tells only what is new: it is not sent as it is once more. */
static void answered_in_part(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err, rd_kafka_buf_t *rkbuf,
                             rd_kafka_buf_t *request, void *opaque) {
        if (err && request)
                request->rkbuf_max_retries = 0;
        answered(rk, rkb, err, rkbuf, request, opaque);
}

/*
 * In the consumer protocol (KIP-848) a heartbeat whose epoch is 0 joins the group, and has to tell all of the member, such
 * as the topics that it wants; the broker refuses another as INVALID_REQUEST, which ends the client
 * (rd_kafka_cgrp_handle_ConsumerGroupHeartbeat).
 *
 * librdkafka (2.12.1) sends one that tells nothing when a member was put out for not reading
 * (max.poll.interval.ms) while it was asked to give partitions up, or when the answer to its leaving comes before it has
 * given up what it holds: that answer makes its epoch 0 and forgets that the member is to join again
 * (rd_kafka_cgrp_consumer_reset). It holds partitions that are lost then. So it goes on as one that the group does not
 * know: it gives up what it holds as lost, and joins.
 */
void __wrap_rd_kafka_ConsumerGroupHeartbeatRequest(
    rd_kafka_broker_t *rkb, const rd_kafkap_str_t *group_id, const rd_kafkap_str_t *member_id, int32_t member_epoch,
    const rd_kafkap_str_t *group_instance_id, const rd_kafkap_str_t *rack_id, int32_t rebalance_timeout_ms,
    const rd_kafka_topic_partition_list_t *topics, rd_kafkap_str_t *regex,
    const rd_kafkap_str_t *remote_assignor, const rd_kafka_topic_partition_list_t *assignment,
    rd_kafka_replyq_t replyq, rd_kafka_resp_cb_t *resp_cb, void *opaque) {
        rd_kafka_cgrp_t *rkcg = rkb->rkb_rk->rk_cgrp;

        if (resp_cb == rd_kafka_cgrp_handle_ConsumerGroupHeartbeat)
                resp_cb = rebalance_timeout_ms == -1 ? answered_in_part : answered;
        /* Only a request that tells all has a time. */
        if (member_epoch != 0 || rebalance_timeout_ms != -1 || !rkcg) {
                __real_rd_kafka_ConsumerGroupHeartbeatRequest(rkb, group_id, member_id, member_epoch,
                                                              group_instance_id, rack_id, rebalance_timeout_ms, topics,
                                                              regex, remote_assignor, assignment, replyq, resp_cb,
                                                              opaque);
                return;
        }
        rd_kafka_replyq_destroy(&replyq);
        if (rkcg->rkcg_join_state == RD_KAFKA_CGRP_JOIN_STATE_STEADY)
                claim_what_is_held(rkcg);
        rkcg->rkcg_flags &= ~RD_KAFKA_CGRP_F_HEARTBEAT_IN_TRANSIT;
        rkcg->rkcg_consumer_flags &=
            ~(RD_KAFKA_CGRP_CONSUMER_F_SENDING_NEW_SUBSCRIPTION | RD_KAFKA_CGRP_CONSUMER_F_SENDING_ACK);
        rkcg->rkcg_consumer_flags |= RD_KAFKA_CGRP_CONSUMER_F_WAIT_REJOIN;
        rd_kafka_cgrp_consumer_expedite_next_heartbeat(rkcg, "not a member any more");
}

/*
 * The offsets of partitions that a member gives up are committed, and the partitions are given up once that has an answer.
 *
 * When the broker has another epoch for the member (STALE_MEMBER_EPOCH) librdkafka (2.12.1) makes the commit again at
 * once, for session.timeout.ms, as it expects a heartbeat to tell it the epoch
 * (rd_kafka_cgrp_op_handle_OffsetCommit). But one that is to join again sends none until the partitions are given up,
 * and neither does one that is leaving: it sent the same commit as fast as the broker answers, and read nothing, until
 * the broker put the member out. So the commit of one that is to join again has failed, as that of one whom
 * the group does not know; and for one that is leaving the epoch is asked for.
 */
rd_kafka_resp_err_t __wrap_rd_kafka_handle_OffsetCommit(rd_kafka_t *rk, rd_kafka_broker_t *rkb,
                                                        rd_kafka_resp_err_t err, rd_kafka_buf_t *rkbuf,
                                                        rd_kafka_buf_t *request,
                                                        rd_kafka_topic_partition_list_t *offsets,
                                                        rd_bool_t ignore_cgrp) {
        rd_kafka_cgrp_t *rkcg = rk->rk_cgrp;

        err = kafka_handle_commit(rk, rkb, err, rkbuf, request, offsets, ignore_cgrp);
        if (err != RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH || ignore_cgrp || !rkcg)
                return err;
        /* It is -1 of one that has never been a member. */
        if (rkcg->rkcg_generation_id == 0 ||
            rkcg->rkcg_consumer_flags &
                (RD_KAFKA_CGRP_CONSUMER_F_WAIT_REJOIN | RD_KAFKA_CGRP_CONSUMER_F_WAIT_REJOIN_TO_COMPLETE))
                return RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID;
        if (rkcg->rkcg_flags & RD_KAFKA_CGRP_F_LEAVE_ON_UNASSIGN_DONE &&
            !(rkcg->rkcg_flags & RD_KAFKA_CGRP_F_HEARTBEAT_IN_TRANSIT))
                rd_kafka_cgrp_consumer_group_heartbeat(rkcg, rd_false, rd_false);
        return err;
}
#endif
