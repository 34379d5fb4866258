/*
 * A commit does not undo a later one.
 *
 * What a coordinator refuses for the moment, librdkafka (2.12.1) sends again after a while (rd_kafka_handle_OffsetCommit), or
 * puts off until it knows the coordinator (rd_kafka_cgrp_offsets_commit), and does not look at what was committed meanwhile: a
 * later commit of the same partition was in the group first, and the older one is what stays. A request that waits
 * for a broker that has gone is sent when that is back, a minute later, say. Java's consumer does not send again what
 * it has not waited for.
 *
 * So every commit has a number, and before it is sent again it loses those partitions of which a later one was sent:
 * for them it ends with _OUTDATED. It is sent again as the operation that it is, by a timer, as a request that librdkafka
 * keeps can't be taken back. How often and how late is as in rd_kafka_buf_retry, but for the commit that a member makes by itself
 * of partitions that it gives up (rd_kafka_assignment_serve_removals): nobody makes that again, and a coordinator that has just
 * begun may load its groups for longer than the 0.3 s in which librdkafka sends a request three times. What it has
 * processed since the last commit came again then, here or to the next member.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka these functions for its own (build.rs).
 */

#include "rdkafka_int.h"
#include "rdkafka_cgrp.h"
#include "rdkafka_partition.h"
#include "rdkafka_request.h"
#include "rdmap.h"

#include <pthread.h>

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such names. */
__attribute__((weak)) int __real_rd_kafka_OffsetCommitRequest(rd_kafka_broker_t *rkb,
                                                              rd_kafka_consumer_group_metadata_t *member,
                                                              rd_kafka_topic_partition_list_t *offsets,
                                                              rd_kafka_replyq_t replyq, rd_kafka_resp_cb_t *answer,
                                                              void *opaque, const char *reason);
__attribute__((weak)) rd_kafka_resp_err_t __real_rd_kafka_handle_OffsetCommit(
    rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err, rd_kafka_buf_t *reply, rd_kafka_buf_t *request,
    rd_kafka_topic_partition_list_t *offsets, rd_bool_t is_admin);

/* How often a commit was sent again stands in three bits of its flags that librdkafka does not use, its number in the version,
 * which only operations of a partition have. */
#define AGAIN_SHIFT 28
#define AGAIN_MOST  7

/* How long, in microseconds, the last commit of partitions that are given up is sent again: within the time that a close has. */
#define LAST_TIME 4000000

static int times_again(const rd_kafka_op_t *commit) {
        return (int)((uint32_t)commit->rko_flags >> AGAIN_SHIFT) & AGAIN_MOST;
}

/* The last commit of a partition. */
typedef struct last {
        uint32_t number;
        rd_ts_t since; /* When it was handed over, as far as is known. */
} last_t;

/* {topic, partition} -> last_t of the client whose main thread this is; all that is here runs on it. */
static __thread rd_map_t *lasts;
static pthread_key_t lasts_key;
static pthread_once_t lasts_once = PTHREAD_ONCE_INIT;

static void free_lasts(void *map) {
        rd_map_destroy(map);
        rd_free(map);
}

static void free_partition(void *partition) {
        rd_kafka_topic_partition_destroy(partition);
}

static void make_lasts_key(void) {
        pthread_key_create(&lasts_key, free_lasts);
}

static last_t *find_last(const rd_kafka_topic_partition_t *partition) {
        last_t *last;

        if (!lasts) {
                pthread_once(&lasts_once, make_lasts_key);
                lasts = rd_calloc(1, sizeof(*lasts));
                rd_map_init(lasts, 0, rd_kafka_topic_partition_cmp, rd_kafka_topic_partition_hash, free_partition, rd_free);
                pthread_setspecific(lasts_key, lasts);
        }
        last = rd_map_get(lasts, partition);
        if (!last) {
                last = rd_calloc(1, sizeof(*last));
                rd_map_set(lasts, rd_kafka_topic_partition_new(partition->topic, partition->partition), last);
        }
        return last;
}

/* Numbers a commit that is sent for the first time; no number is 0. Returns when it was handed over. */
static rd_ts_t number_commit(const rd_kafka_cgrp_t *group, rd_kafka_op_t *commit) {
        static __thread uint32_t number;

        if (!++number)
                ++number;
        commit->rko_version = (int32_t)number;
        /* One that was put off before it was sent at all has kept until when that is. */
        if (commit->rko_u.offset_commit.ts_timeout)
                return commit->rko_u.offset_commit.ts_timeout -
                       (rd_ts_t)group->rkcg_rk->rk_conf.group_session_timeout_ms * 1000;
        return rd_clock();
}

/* Marks those partitions of a commit of which a later one was sent; returns how many that are, and in `left` those that are to
 * be sent. */
static int mark_outdated(const rd_kafka_cgrp_t *group, rd_kafka_op_t *commit, rd_kafka_topic_partition_list_t *offsets,
                         int *left) {
        const rd_bool_t is_first = !(commit->rko_flags & RD_KAFKA_OP_F_REPROCESS) || !commit->rko_version;
        const rd_ts_t since      = is_first ? number_commit(group, commit) : 0;
        const uint32_t number    = (uint32_t)commit->rko_version;
        rd_kafka_topic_partition_t *partition;
        int outdated = 0;

        *left = 0;
        RD_KAFKA_TPLIST_FOREACH(partition, offsets) {
                last_t *last;

                if (partition->offset < 0)
                        continue;
                last = find_last(partition);
                /* Numbers begin anew at their end. */
                if (last->number && (is_first ? last->since > since : (int32_t)(last->number - number) > 0)) {
                        partition->err = RD_KAFKA_RESP_ERR__OUTDATED;
                        outdated++;
                        continue;
                }
                if (is_first) {
                        last->number = number;
                        last->since  = since;
                }
                /* What it was refused with before. */
                partition->err = RD_KAFKA_RESP_ERR_NO_ERROR;
                (*left)++;
        }
        return outdated;
}

/* Answers a commit of which nothing is left to send, from librdkafka's loop as rd_kafka_cgrp_offsets_commit does it. */
static void answer_outdated(rd_kafka_cgrp_t *group, rd_kafka_op_t *commit, rd_kafka_resp_cb_t *answer) {
        rd_kafka_op_t *reply   = rd_kafka_op_new(RD_KAFKA_OP_RECV_BUF);
        rd_kafka_buf_t *buffer = rd_kafka_buf_new(0, 0);

        buffer->rkbuf_cb        = answer;
        buffer->rkbuf_opaque    = commit;
        reply->rko_rk           = group->rkcg_rk;
        reply->rko_err          = RD_KAFKA_RESP_ERR__OUTDATED;
        reply->rko_u.xbuf.rkbuf = buffer;
        rd_kafka_q_enq(group->rkcg_ops, reply);
}

int __wrap_rd_kafka_OffsetCommitRequest(rd_kafka_broker_t *rkb, rd_kafka_consumer_group_metadata_t *member,
                                        rd_kafka_topic_partition_list_t *offsets, rd_kafka_replyq_t replyq,
                                        rd_kafka_resp_cb_t *answer, void *opaque, const char *reason) {
        rd_kafka_cgrp_t *group = rkb->rkb_rk->rk_cgrp;
        rd_kafka_topic_partition_list_t *remaining;
        int outdated, left, i, sent;

        /* An admin client's has another queue, and no operation. */
        if (!group || replyq.q != group->rkcg_ops)
                return __real_rd_kafka_OffsetCommitRequest(rkb, member, offsets, replyq, answer, opaque, reason);
        outdated = mark_outdated(group, opaque, offsets, &left);
        if (!outdated)
                return __real_rd_kafka_OffsetCommitRequest(rkb, member, offsets, replyq, answer, opaque, reason);
        rd_kafka_dbg(group->rkcg_rk, CGRP | RD_KAFKA_DBG_CONSUMER, "COMMIT",
                     "Group \"%s\": not sending the commit (%s) of %d partition(s) again: there was a later one",
                     group->rkcg_group_id->str, reason, outdated);
        if (!left) {
                rd_kafka_replyq_destroy(&replyq);
                answer_outdated(group, opaque, answer);
                return 1;
        }
        remaining = rd_kafka_topic_partition_list_copy(offsets);
        for (i = remaining->cnt - 1; i >= 0; i--) {
                if (remaining->elems[i].err == RD_KAFKA_RESP_ERR__OUTDATED)
                        rd_kafka_topic_partition_list_del_by_idx(remaining, i);
        }
        sent = __real_rd_kafka_OffsetCommitRequest(rkb, member, remaining, replyq, answer, opaque, reason);
        rd_kafka_topic_partition_list_destroy(remaining);
        return sent;
}

/* Whether rd_kafka_handle_OffsetCommit has a request sent again for this. */
static rd_bool_t is_for_the_moment(rd_kafka_resp_err_t err) {
        switch (err) {
        case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
        case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
        case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
        case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
        case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
        case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
        case RD_KAFKA_RESP_ERR_INVALID_MSG:
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR__SSL:
        case RD_KAFKA_RESP_ERR__TIMED_OUT:
        case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
                return rd_true;
        default:
                return rd_false;
        }
}

/* A commit that waits to be sent again. */
typedef struct again {
        LIST_ENTRY(again) link;
        rd_kafka_timer_t timer;
        rd_kafka_op_t *commit;
} again_t;

/* Those of the client whose main thread this is. */
static __thread LIST_HEAD(, again) waiting;

/* Its time has come. The group ends no sooner, as it waits for its commits. */
static void send_again(rd_kafka_timers_t *timers, void *arg) {
        again_t *again = arg;

        LIST_REMOVE(again, link);
        rd_kafka_q_enq(timers->rkts_rk->rk_cgrp->rkcg_ops, again->commit);
        rd_free(again);
}

/* Sends at once what waits: the timers of a client that is being destroyed do not run any more. For its main thread. */
void kafka_send_commits(rd_kafka_t *rk) {
        again_t *again;

        while ((again = LIST_FIRST(&waiting))) {
                rd_kafka_timer_stop(&rk->rk_timers, &again->timer, 1);
                send_again(&rk->rk_timers, again);
        }
}

static void send_later(rd_kafka_t *rk, rd_kafka_op_t *commit) {
        const int times = times_again(commit);
        again_t *again  = rd_calloc(1, sizeof(*again));
        int64_t backoff = (int64_t)rk->rk_conf.retry_backoff_ms << times;

        backoff = backoff * rd_jitter(100 - RD_KAFKA_RETRY_JITTER_PERCENT, 100 + RD_KAFKA_RETRY_JITTER_PERCENT) * 10;
        backoff = RD_MIN(backoff, (int64_t)rk->rk_conf.retry_backoff_max_ms * 1000);
        again->commit = commit;
        commit->rko_flags += 1 << AGAIN_SHIFT;
        /* librdkafka has counted it. */
        commit->rko_flags |= RD_KAFKA_OP_F_REPROCESS;
        LIST_INSERT_HEAD(&waiting, again, link);
        rd_kafka_timer_start_oneshot(&rk->rk_timers, &again->timer, rd_true, RD_MAX(backoff, 1), send_again, again);
}

/* Whether a commit that was refused for the moment is to be sent again; librdkafka allows for `most` times. */
static rd_bool_t may_try_again(const rd_kafka_op_t *commit, int most) {
        const rd_kafka_topic_partition_t *partition;
        const int times = times_again(commit);

        if (times < most)
                return rd_true;
        if (times >= AGAIN_MOST || rd_strcmp(commit->rko_u.offset_commit.reason, "unassigned partitions"))
                return rd_false;
        RD_KAFKA_TPLIST_FOREACH(partition, commit->rko_u.offset_commit.partitions) {
                if (partition->offset >= 0 && partition->err != RD_KAFKA_RESP_ERR__OUTDATED)
                        return rd_clock() - find_last(partition)->since < LAST_TIME;
        }
        return rd_false;
}

/* Whether the broker has taken some of the partitions: librdkafka tells of the others then. */
static rd_bool_t is_partly_taken(const rd_kafka_buf_t *reply, const rd_kafka_topic_partition_list_t *offsets) {
        const rd_kafka_topic_partition_t *partition;

        if (!reply)
                return rd_false;
        RD_KAFKA_TPLIST_FOREACH(partition, offsets) {
                if (partition->offset >= 0 && !partition->err)
                        return rd_true;
        }
        return rd_false;
}

/* In place of librdkafka's rd_kafka_handle_OffsetCommit, for what epoch.c does behind it. */
rd_kafka_resp_err_t kafka_handle_commit(rd_kafka_t *rk, rd_kafka_broker_t *rkb, rd_kafka_resp_err_t err,
                                        rd_kafka_buf_t *reply, rd_kafka_buf_t *request,
                                        rd_kafka_topic_partition_list_t *offsets, rd_bool_t is_admin) {
        rd_kafka_op_t *commit;
        int most;

        if (is_admin || !request)
                return __real_rd_kafka_handle_OffsetCommit(rk, rkb, err, reply, request, offsets, is_admin);
        if (err == RD_KAFKA_RESP_ERR__OUTDATED)
                return err;
        commit                     = request->rkbuf_opaque;
        most                       = request->rkbuf_max_retries;
        request->rkbuf_max_retries = -1;
        err = __real_rd_kafka_handle_OffsetCommit(rk, rkb, err, reply, request, offsets, is_admin);
        if (!rkb || !is_for_the_moment(err) || is_partly_taken(reply, offsets) ||
            rd_kafka_broker_or_instance_terminating(rkb) || !may_try_again(commit, most))
                return err;
        send_later(rk, commit);
        return RD_KAFKA_RESP_ERR__IN_PROGRESS;
}
#endif
