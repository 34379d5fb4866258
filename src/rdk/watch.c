/*
 * What a client waits for, and librdkafka (2.12.1) asks for once only.
 *
 * - The coordinator of a group or of a transactional.id (rd_kafka_coord_req_fsm, rd_kafka_txn_coord_set): it is
 *   asked for again when a connection comes up or goes down. While the coordinator's broker is dead Kafka
 *   names it a few seconds longer; then another broker takes over, and the request waits until the dead
 *   one is back. Its own time limit is never looked at.
 * - The offsets that a group has committed, where a new assignment begins (rd_kafka_assignment_serve_pending):
 *   if the coordinator refuses as a whole, or can't be reached in three tries, the partitions stay on the list
 *   of those that are being asked for until the next rebalance, and give nothing (librdkafka's issue 5586).
 *
 * - The controller, to which an admin's requests about topics go (rd_kafka_broker_controller_async): likewise.
 *   Each broker of a cluster in KRaft mode names some broker, and goes on naming a dead one for a while. Other
 *   clusters have one controller, which may be the same when it is back.
 *
 * - The forward of a partition's messages to its reader's queue. It is set before the partition is assigned, and ended where
 *   librdkafka stops the partition (rd_kafka_toppar_fetch_stop), on its own thread and in its own time: of a
 *   partition that is assigned anew at once the old stop may come after the new forward. The new fetch
 *   finds the mark of an application that forwards by itself and sets none (rd_kafka_toppar_op_fetch_start),
 *   and its messages lie in the partition's own queue, where nobody reads, until the next assignment.
 *
 * It also remembers a coordinator that answers NOT_COORDINATOR to an admin's request
 * (rd_kafka_t.rk_coord_cache), and follows null pointers after two such answers.
 *
 * No public function ends that. Compiled with librdkafka's private headers, so that the compiler checks
 * what is used here.
 */

#include "topics.h"
#include "rdkafka_assignment.h"
#include "rdkafka_coord.h"
#include "rdkafka_request.h"
#include "rdkafka_txnmgr.h"

#include <stdlib.h>

/* How often a client that waits looks, in microseconds. librdkafka itself asks once a second at most. */
#define EVERY 1000000
/* How long committed offsets may be awaited before they are asked for again, in microseconds; */
#define PATIENCE 2000000
/* and after a refusal that does not pass by itself, of which the reader is told each time. */
#define REFUSED 10000000

/* A client's watch. Only what says so is used by more threads than librdkafka's main one. */
typedef struct {
        rd_kafka_timer_t timer; /* used by all threads */
        rd_ts_t asked; /* since when committed offsets are awaited, or 0 */
        rd_ts_t still; /* since when there are partitions that nothing is done about, or 0 */
        rd_ts_t told;  /* since when heartbeats are refused, or when the reader was last told of it; 0 if none is */
        char calls;    /* an admin's call waits, or did since the last look; used by all threads */
        rd_kafka_q_t *messages; /* what a member reads, or NULL; used by all threads */
        missing_t *missing; /* topics that a member has subscribed to and that are not there, or NULL */
} watch_t;

static rd_kafka_resp_err_t send_nothing(rd_kafka_broker_t *rkb, rd_kafka_op_t *rko, rd_kafka_replyq_t replyq,
                                        rd_kafka_resp_cb_t *resp_cb, void *opaque) {
        (void)rkb, (void)rko, (void)resp_cb, (void)opaque;
        rd_kafka_replyq_destroy(&replyq);
        return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void take_nothing(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err, rd_kafka_buf_t *reply,
                         rd_kafka_buf_t *request, void *opaque) {
        (void)rk, (void)rkb, (void)err, (void)reply, (void)request, (void)opaque;
}

/*
 * Ends send_offsets_to_transaction whose time is over while it waits for the group's coordinator: its
 * handler gets _TIMED_OUT, and makes that the transaction's error. What waits stays, with nothing to do,
 * until librdkafka frees it.
 */
static void end_late(rd_kafka_coord_req_t *wait) {
        rd_kafka_op_t *reply;
        rd_kafka_buf_t *request;
        const rd_kafka_op_t *call = wait->creq_rko;

        if (!call || (call->rko_type & ~RD_KAFKA_OP_FLAGMASK) != RD_KAFKA_OP_TXN ||
            !rd_timeout_expired(rd_timeout_remains(call->rko_u.txn.abs_timeout)))
                return;
        request = rd_kafka_buf_new(0, 0);
        request->rkbuf_cb = wait->creq_resp_cb;
        request->rkbuf_opaque = wait->creq_reply_opaque;
        reply = rd_kafka_op_new(RD_KAFKA_OP_RECV_BUF);
        reply->rko_rk = wait->creq_replyq.q->rkq_rk;
        reply->rko_err = RD_KAFKA_RESP_ERR__TIMED_OUT;
        reply->rko_u.xbuf.rkbuf = request;
        wait->creq_send_req_cb = send_nothing;
        wait->creq_resp_cb = take_nothing;
        wait->creq_rko = NULL;
        wait->creq_reply_opaque = NULL;
        rd_kafka_q_enq(wait->creq_replyq.q, reply);
}

/* Requests that wait for their coordinator look for it again. */
static void look_for_coordinators(rd_kafka_t *rk) {
        rd_kafka_coord_req_t *wait;
        rd_kafka_broker_t *any;

        TAILQ_FOREACH(wait, &rk->rk_coord_reqs, creq_link)
                end_late(wait);
        if (!TAILQ_EMPTY(&rk->rk_coord_reqs)) {
                rd_kafka_rdlock(rk);
                if ((any = TAILQ_FIRST(&rk->rk_brokers)))
                        rd_kafka_broker_keep(any);
                rd_kafka_rdunlock(rk);
                if (any) {
                        /* Looks at all that wait; of the broker it only takes the client. */
                        rd_kafka_coord_rkb_monitor_cb(any);
                        rd_kafka_broker_destroy(any);
                }
        }
}

static void look_for_transaction_coordinator(rd_kafka_t *rk) {
        if (rk->rk_eos.txn_curr_coord && !rd_kafka_broker_is_up(rk->rk_eos.txn_coord)) {
                rd_kafka_wrlock(rk);
                rd_kafka_txn_coord_query(rk, "coordinator still down");
                rd_kafka_wrunlock(rk);
        }
}

/* An admin's call may wait for a controller that is dead: the brokers that live are asked for the next one. */
static void look_for_controller(rd_kafka_t *rk) {
        rd_kafka_broker_t *controller = NULL;
        rd_bool_t up;

        rd_kafka_rdlock(rk);
        if (rk->rk_controllerid != -1)
                controller = rd_kafka_broker_find_by_nodeid(rk, rk->rk_controllerid);
        rd_kafka_rdunlock(rk);
        up = controller && rd_kafka_broker_is_up(controller);
        if (controller)
                rd_kafka_broker_destroy(controller);
        if (!up)
                rd_kafka_metadata_refresh_brokers(rk, NULL, "the controller is down");
}

/* Whether the same question may well be answered later. */
static rd_bool_t passes(rd_kafka_resp_err_t err) {
        switch (err) {
        case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
        case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
        case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
        case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR__TIMED_OUT:
        case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
        case RD_KAFKA_RESP_ERR__WAIT_COORD:
                return rd_true;
        default:
                return rd_false;
        }
}

/* Whether something has gone on since a time that is kept, for that long; it begins when none is kept. */
static rd_bool_t lasted(rd_ts_t *since, rd_ts_t limit) {
        const rd_ts_t now = rd_clock();

        if (!*since)
                *since = now;
        if (now - *since < limit)
                return rd_false;
        *since = 0;
        return rd_true;
}

/*
 * Partitions whose committed offsets were refused, or are asked for too long, are put back among those to be asked
 * for. Should the first answer come yet, it counts as well: the partitions have not been given up
 * meanwhile, or librdkafka has taken them off both lists.
 */
static void ask_for_offsets_again(rd_kafka_t *rk, watch_t *watch) {
        rd_kafka_topic_partition_list_t *queried = rk->rk_consumer.assignment.queried;
        rd_kafka_topic_partition_t *partition, *again;
        rd_ts_t patience = PATIENCE;

        if (queried->cnt == 0) {
                watch->asked = 0;
                return;
        }
        RD_KAFKA_TPLIST_FOREACH(partition, queried)
                if (partition->err)
                        patience = passes(partition->err) ? 0 : REFUSED;
        if (!lasted(&watch->asked, patience))
                return;
        RD_KAFKA_TPLIST_FOREACH(partition, queried) {
                again = rd_kafka_topic_partition_list_add_copy(rk->rk_consumer.assignment.pending, partition);
                again->err = RD_KAFKA_RESP_ERR_NO_ERROR;
                /* The one that has librdkafka ask for what is committed. */
                again->offset = RD_KAFKA_OFFSET_STORED;
        }
        rd_kafka_topic_partition_list_clear(queried);
        watch->asked = 0;
        rd_kafka_assignment_serve(rk);
}

static rd_bool_t has(const rd_kafka_topic_partition_list_t *list, const rd_kafka_topic_partition_t *partition) {
        return rd_kafka_topic_partition_list_find(list, partition->topic, partition->partition) != NULL;
}

/*
 * What is assigned is read, or about to be. A partition whose own committed offset was refused is neither: librdkafka
 * leaves it to the script to assign it anew. It is begun again.
 */
static void begin_again(rd_kafka_t *rk, watch_t *watch) {
        rd_kafka_topic_partition_list_t *pending = rk->rk_consumer.assignment.pending;
        rd_kafka_topic_partition_t *partition;
        rd_kafka_toppar_t *toppar;
        rd_kafka_topic_partition_list_t *found = NULL;

        RD_KAFKA_TPLIST_FOREACH(partition, rk->rk_consumer.assignment.all) {
                toppar = rd_kafka_topic_partition_toppar(rk, partition);
                if (!toppar || toppar->rktp_started || has(pending, partition) ||
                    has(rk->rk_consumer.assignment.queried, partition) ||
                    has(rk->rk_consumer.assignment.removed, partition))
                        continue;
                if (!found)
                        found = rd_kafka_topic_partition_list_new(1);
                rd_kafka_topic_partition_list_add_copy(found, partition);
        }
        if (!found) {
                watch->still = 0;
                return;
        }
        if (lasted(&watch->still, REFUSED)) {
                rd_kafka_topic_partition_list_add_list(pending, found);
                rd_kafka_assignment_serve(rk);
        }
        rd_kafka_topic_partition_list_destroy(found);
}

/*
 * A partition that is being fetched is forwarded to its reader, if the application has ever forwarded it. What lies in
 * its own queue by now goes along.
 */
static void forward_again(rd_kafka_t *rk, watch_t *watch) {
        rd_kafka_q_t *messages = __atomic_load_n(&watch->messages, __ATOMIC_ACQUIRE), *own;
        rd_kafka_topic_partition_t *partition;
        rd_kafka_toppar_t *toppar;
        rd_bool_t lost;

        if (!messages)
                return;
        RD_KAFKA_TPLIST_FOREACH(partition, rk->rk_consumer.assignment.all) {
                toppar = rd_kafka_topic_partition_toppar(rk, partition);
                if (!toppar || !toppar->rktp_started)
                        continue;
                own = toppar->rktp_fetchq;
                mtx_lock(&own->rkq_lock);
                lost = (own->rkq_flags & RD_KAFKA_Q_F_FWD_APP) && !own->rkq_fwdq;
                mtx_unlock(&own->rkq_lock);
                if (lost)
                        rd_kafka_q_fwd_set0(own, messages, 1, 1);
        }
}

static void schedule(rd_kafka_t *rk, watch_t *watch);

/*
 * Tells the reader of a member of the consumer protocol why its heartbeats are refused, if that does not pass and
 * librdkafka treats it in no way of its own: it would go on sending them, and say nothing (mended in its 2.15.0).
 * A single refusal is not told: more than one heartbeat has to have had the time to be answered.
 */
static void tell_refused_heartbeat(rd_kafka_t *rk, watch_t *watch) {
        rd_kafka_cgrp_t *group  = rk->rk_cgrp;
        rd_kafka_resp_err_t err = group->rkcg_last_heartbeat_err;
        rd_ts_t now             = rd_clock();
        rd_ts_t every           = RD_MAX(REFUSED, (rd_ts_t)group->rkcg_heartbeat_intvl_ms * 1000 * 5 / 2);

        if (group->rkcg_group_protocol != RD_KAFKA_GROUP_PROTOCOL_CONSUMER ||
            !(group->rkcg_flags & RD_KAFKA_CGRP_F_SUBSCRIPTION) || rd_atomic32_get(&rk->rk_fatal.err) || err <= 0 ||
            passes(err) || err == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
            err == RD_KAFKA_RESP_ERR_FENCED_MEMBER_EPOCH || err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
                watch->told = 0;
                return;
        }
        if (!watch->told)
                watch->told = now;
        else if (now >= watch->told + every) {
                watch->told = now;
                rd_kafka_consumer_err(group->rkcg_q, RD_KAFKA_NODEID_UA, err, 0, NULL, NULL, RD_KAFKA_OFFSET_INVALID,
                                      "ConsumerGroupHeartbeat failed: %s", rd_kafka_err2str(err));
        }
}

/* Runs on librdkafka's main thread, which alone uses what is read here without a lock. */
static void look(rd_kafka_timers_t *timers, void *arg) {
        rd_kafka_t *rk = timers->rkts_rk;
        const rd_bool_t lasting = rk->rk_cgrp || rd_kafka_is_transactional(rk);

        if (rd_kafka_terminating(rk))
                return;
        look_for_coordinators(rk);
        if (__atomic_exchange_n(&((watch_t *)arg)->calls, 0, __ATOMIC_RELAXED)) {
                look_for_controller(rk);
                /* The call may wait for a broker that has refused its connection (refused.c), or that the metadata have
                 * left out while it was away: librdkafka tells nobody when such a one is there again. */
                rd_kafka_brokers_broadcast_state_change(rk);
        }
        if (rd_kafka_is_transactional(rk))
                look_for_transaction_coordinator(rk);
        if (rk->rk_cgrp) {
                ask_for_offsets_again(rk, arg);
                begin_again(rk, arg);
                forward_again(rk, arg);
                tell_refused_heartbeat(rk, arg);
                kafka_look_for_topics(rk, &((watch_t *)arg)->missing);
        }
        if (lasting || !TAILQ_EMPTY(&rk->rk_coord_reqs))
                schedule(rk, arg);
}

static void schedule(rd_kafka_t *rk, watch_t *watch) {
        rd_kafka_timer_start_oneshot(&rk->rk_timers, &watch->timer, rd_false, EVERY, look, watch);
}

/* A watch, to be freed when its client has been destroyed. */
watch_t *kafka_watch_new(void) {
        return calloc(1, sizeof(watch_t));
}

void kafka_watch_free(watch_t *watch) {
        if (watch->messages)
                rd_kafka_q_destroy(watch->messages);
        if (watch->missing)
                rd_kafka_topic_partition_list_destroy(watch->missing);
        free(watch);
}

/* The queue that the partitions of a member are forwarded to; the first one stays. One thread calls it. */
void kafka_watch_forwards(watch_t *watch, rd_kafka_queue_t *messages) {
        if (!watch->messages) {
                rd_kafka_q_keep(messages->rkqu_q);
                __atomic_store_n(&watch->messages, messages->rkqu_q, __ATOMIC_RELEASE);
        }
}

/*
 * Has the client look again, from time to time, for what it waits for: a member of a group and a transactional
 * producer until its end, another client until it waits no more. With `call`, an admin's call waits: it says so
 * again and again. Any thread may call it, at any time.
 */
void kafka_watch(rd_kafka_t *rk, watch_t *watch, int call) {
        if (call)
                __atomic_store_n(&watch->calls, 1, __ATOMIC_RELAXED);
        schedule(rk, watch);
}

/* Runs on librdkafka's main thread, which alone uses the cache. */
static rd_kafka_op_res_t forget(rd_kafka_t *rk, rd_kafka_q_t *rkq, rd_kafka_op_t *rko) {
        rd_kafka_coord_cache_entry_t *entry;
        (void)rkq;
        if (rko->rko_err == RD_KAFKA_RESP_ERR__DESTROY)
                return RD_KAFKA_OP_RES_HANDLED;
        while ((entry = TAILQ_FIRST(&rk->rk_coord_cache.cc_entries)))
                rd_kafka_coord_cache_evict(&rk->rk_coord_cache, entry->cce_rkb);
        return RD_KAFKA_OP_RES_HANDLED;
}

/* Has the client look for coordinators anew, from its next request on. */
void kafka_forget_coordinators(rd_kafka_t *rk) {
        rd_kafka_q_enq(rk->rk_ops, rd_kafka_op_new_cb(rk, RD_KAFKA_OP_WAKEUP, forget));
}

/*
 * A partition whose offset could not be reset (auto.offset.reset is error) is read no more, and librdkafka refuses
 * to seek in it, as if it had never been begun (rd_kafka_offset_reset, rd_kafka_toppar_seek). Waiting for
 * an offset is what it does: then the seek that tells one is taken.
 *
 * Runs on librdkafka's main thread, which alone uses rktp_started. A member's partition that has not been started yet
 * is about to be, and would be started at another offset than the one sought.
 */
static rd_kafka_op_res_t await_offset(rd_kafka_t *rk, rd_kafka_q_t *rkq, rd_kafka_op_t *rko) {
        rd_kafka_toppar_t *toppar = rko->rko_rktp;
        rd_bool_t assigned;
        rd_kafka_op_t *later;
        (void)rkq;
        if (rko->rko_err == RD_KAFKA_RESP_ERR__DESTROY)
                return RD_KAFKA_OP_RES_HANDLED;
        /* Once more through the queue: a start that was asked for before has been sent there only now (order.c). */
        if (rko->rko_len == 0) {
                later           = rd_kafka_op_new_cb(rk, RD_KAFKA_OP_WAKEUP, await_offset);
                later->rko_rktp = rd_kafka_toppar_keep(toppar);
                later->rko_len  = 1;
                rd_kafka_q_enq(rk->rk_ops, later);
                return RD_KAFKA_OP_RES_HANDLED;
        }
        assigned = rd_kafka_topic_partition_list_find(rk->rk_consumer.assignment.all, toppar->rktp_rkt->rkt_topic->str,
                                                      toppar->rktp_partition) != NULL;
        rd_kafka_toppar_lock(toppar);
        if (toppar->rktp_fetch_state == RD_KAFKA_TOPPAR_FETCH_NONE && (!assigned || toppar->rktp_started))
                rd_kafka_toppar_set_fetch_state(toppar, RD_KAFKA_TOPPAR_FETCH_OFFSET_WAIT);
        rd_kafka_toppar_unlock(toppar);
        return RD_KAFKA_OP_RES_HANDLED;
}

/* Has a partition that is assigned, or that is being read, take the next seek also when its offset could not be reset. */
void kafka_await_offset(rd_kafka_t *rk, const char *topic, int32_t partition) {
        rd_kafka_toppar_t *toppar = rd_kafka_toppar_get2(rk, topic, partition, rd_false, rd_false);
        rd_kafka_op_t *op;

        if (!toppar)
                return;
        op = rd_kafka_op_new_cb(rk, RD_KAFKA_OP_WAKEUP, await_offset);
        op->rko_rktp = toppar;
        rd_kafka_q_enq(rk->rk_ops, op);
}

/* Has the client ask for a topic's partitions and leaders anew when it needs them next. */
void kafka_forget_topic(rd_kafka_t *rk, const char *topic) {
        rd_kafka_wrlock(rk);
        rd_kafka_metadata_cache_delete_by_name(rk, topic);
        rd_kafka_wrunlock(rk);
}

/*
 * The linker gives librdkafka these two for its own (build.rs); where it can't, nothing calls them.
 *
 * A refused OffsetFetch has the group's coordinator looked for, also by a client without a group, which asked
 * about another's (rd_kafka_handle_OffsetFetch).
 */
void __wrap_rd_kafka_cgrp_op(rd_kafka_cgrp_t *group, rd_kafka_toppar_t *partition, rd_kafka_replyq_t replyq,
                             rd_kafka_op_type_t type, rd_kafka_resp_err_t err) {
        rd_kafka_op_t *op;

        if (!group) {
                rd_kafka_replyq_destroy(&replyq);
                return;
        }
        op = rd_kafka_op_new(type);
        op->rko_err = err;
        op->rko_replyq = replyq;
        if (partition)
                op->rko_rktp = rd_kafka_toppar_keep(partition);
        rd_kafka_q_enq(group->rkcg_ops, op);
}

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacements (a test of ours) has no such name. */
__attribute__((weak)) rd_kafka_resp_err_t
__real_rd_kafka_handle_OffsetFetch(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err,
                                   rd_kafka_buf_t *reply, rd_kafka_buf_t *request,
                                   rd_kafka_topic_partition_list_t **offsets, rd_bool_t update_toppar,
                                   rd_bool_t add_part, rd_bool_t allow_retry);

/*
 * Where a new assignment begins (it alone has its partitions updated): what was refused for the moment stays
 * on the list of what is asked for, marked, and the watch asks again. librdkafka would make an error of it, of
 * which no reader can make anything. A refusal that does not pass is told, and marked as well. librdkafka
 * would also end the process when a request failed without an answer, which leaves no list
 * (rd_kafka_assignment_handle_OffsetFetch).
 */
rd_kafka_resp_err_t __wrap_rd_kafka_handle_OffsetFetch(rd_kafka_t *rk, rd_kafka_broker_t *rkb,
                                                       rd_kafka_resp_err_t err, rd_kafka_buf_t *reply,
                                                       rd_kafka_buf_t *request,
                                                       rd_kafka_topic_partition_list_t **offsets,
                                                       rd_bool_t update_toppar, rd_bool_t add_part,
                                                       rd_bool_t allow_retry) {
        rd_kafka_topic_partition_list_t *queried = rk->rk_consumer.assignment.queried;
        rd_kafka_topic_partition_t *partition, *answer;
        int i;

        err = __real_rd_kafka_handle_OffsetFetch(rk, rkb, err, reply, request, offsets, update_toppar, add_part,
                                                 allow_retry);
        if (err == RD_KAFKA_RESP_ERR__IN_PROGRESS || !update_toppar)
                return err;
        if (!*offsets)
                *offsets = rd_kafka_topic_partition_list_new(0);
        RD_KAFKA_TPLIST_FOREACH(partition, queried) {
                answer = rd_kafka_topic_partition_list_find(*offsets, partition->topic, partition->partition);
                if (answer && passes(answer->err))
                        partition->err = answer->err;
                else if (err && (passes(err) || !answer))
                        partition->err = err;
        }
        if (passes(err)) {
                rd_kafka_topic_partition_list_clear(*offsets);
                return RD_KAFKA_RESP_ERR_NO_ERROR;
        }
        for (i = (*offsets)->cnt - 1; i >= 0; i--)
                if (passes((*offsets)->elems[i].err))
                        rd_kafka_topic_partition_list_del_by_idx(*offsets, i);
        return err;
}
#endif
