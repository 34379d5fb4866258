/*
 * A topic that a broker does not know yet is found, and no partition of it is left to nobody.
 *
 * A broker hears of a new topic, or of new partitions, some time after others: it says until then that there are none. So
 * it is for a moment after they were made, and where a broker has just started or is slow.
 *
 * - The leader of a classic group asks one broker for its subscription's topics and, once it is the leader, another one,
 *   the coordinator, for those that it shares out. If the second one is behind, it shares out less than there
 *   is; and as it knew of all before, no later answer is anything new to it, and none has the group join again
 *   (librdkafka 2.12.1, rd_kafka_cgrp_update_subscribed_topics): nobody reads those partitions until the group
 *   moves for another reason. Here it forgets what it did not share out, and asks once a second.
 * - A topic that is missing is asked for at topic.metadata.refresh.interval.ms, every five minutes. Java's consumer asks at
 *   each retry.backoff.ms. Here it is asked for once a second, and after the first half minute every ten.
 * - The reader is told at once that a topic is missing, and a script's loop ends by it. Here it is told when the topic is
 *   still missing after a few seconds.
 * - A member of a cooperative group that no longer reads a topic, as it has subscribed to a regular expression that leaves the
 *   topic out or the topic is gone, gives up its partitions; librdkafka has it join again, which tells the group, only if it
 *   is the leader (rd_kafka_cgrp_metadata_update_check). The others went on as members that have those partitions: nobody
 *   read them. Here each joins again.
 * - A leader's answer that passes by itself is no error of the reader's.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka these functions for its own (build.rs).
 */

#include "topics.h"
#include "rdkafka_assignment.h"
#include "rdkafka_assignor.h"
#include "rdkafka_cgrp.h"
#include "rdkafka_metadata.h"

#include <stdarg.h>
#include <string.h>

/* In microseconds: how long a topic may be missing before its reader is told, */
#define QUIET 3000000
/* for how long it is asked for each time, and how seldom afterwards. */
#define EAGER 30000000
#define SELDOM 10000000

/* What librdkafka's message for a missing topic begins with (rd_kafka_cgrp_metadata_update_check). */
#define NOT_AVAILABLE "Subscribed topic not available"
/* For a fetch that a leader refuses (rd_kafka_fetch_reply_handle_partition_error), and a question about a partition's beginning or
 * end (rd_kafka_toppar_handle_Offset). */
#define FETCH_FAILED "Fetch from broker "
#define QUERY_FAILED "Failed to query logical offset "

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such names. */
__attribute__((weak)) rd_kafka_resp_err_t __real_rd_kafka_assignor_run(rd_kafka_cgrp_t *group,
                                                                       const rd_kafka_assignor_t *assignor,
                                                                       rd_kafka_metadata_t *metadata,
                                                                       rd_kafka_group_member_t *members, int count,
                                                                       char *error, size_t size);
__attribute__((weak)) void __real_rd_kafka_consumer_err(rd_kafka_q_t *queue, int32_t broker, rd_kafka_resp_err_t err,
                                                        int32_t version, const char *topic,
                                                        rd_kafka_toppar_t *partition, int64_t offset,
                                                        const char *format, ...);

__attribute__((weak)) rd_kafka_error_t *
__real_rd_kafka_assignment_subtract(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *partitions);

/* Runs on librdkafka's main thread, when a cooperative member answers that it gives up partitions. What it has lost it has
 * not agreed upon with its group. */
rd_kafka_error_t *__wrap_rd_kafka_assignment_subtract(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *partitions) {
        rd_kafka_cgrp_t *group = rk->rk_cgrp;

        if (group->rkcg_group_protocol == RD_KAFKA_GROUP_PROTOCOL_CLASSIC &&
            group->rkcg_join_state == RD_KAFKA_CGRP_JOIN_STATE_WAIT_UNASSIGN_CALL &&
            rd_kafka_cgrp_assignment_is_lost(group))
                group->rkcg_rebalance_rejoin = rd_true;
        return __real_rd_kafka_assignment_subtract(rk, partitions);
}

static int partitions_in(const rd_kafka_metadata_t *metadata, const char *topic) {
        int i;

        for (i = 0; i < metadata->topic_cnt; i++)
                if (!strcmp(metadata->topics[i].topic, topic))
                        return metadata->topics[i].err ? 0 : metadata->topics[i].partition_cnt;
        return 0;
}

/* Runs on librdkafka's main thread, when the leader shares out partitions. */
rd_kafka_resp_err_t __wrap_rd_kafka_assignor_run(rd_kafka_cgrp_t *group, const rd_kafka_assignor_t *assignor,
                                                 rd_kafka_metadata_t *metadata, rd_kafka_group_member_t *members,
                                                 int count, char *error, size_t size) {
        rd_kafka_topic_info_t *known;
        int i;

        RD_LIST_FOREACH(known, group->rkcg_subscribed_topics, i)
                if (partitions_in(metadata, known->topic) < known->partition_cnt)
                        known->partition_cnt = 0;
        return __real_rd_kafka_assignor_run(group, assignor, metadata, members, count, error, size);
}

static rd_bool_t begins_with(const char *text, const char *beginning) {
        return !strncmp(text, beginning, strlen(beginning));
}

/* What a leader answers for a moment, and librdkafka (2.12.1, rd_kafka_fetch_reply_handle_partition_error) tells each reader
 * before it asks again, where Java's consumer logs it (FetchCollector, OffsetFetcherUtils). A broker that can't reach its
 * remote storage answers UNKNOWN. */
static rd_bool_t is_for_the_moment(rd_kafka_resp_err_t err) {
        return err == RD_KAFKA_RESP_ERR_UNKNOWN || err == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT ||
               err == RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION;
}

void __wrap_rd_kafka_consumer_err(rd_kafka_q_t *queue, int32_t broker, rd_kafka_resp_err_t err, int32_t version,
                                  const char *topic, rd_kafka_toppar_t *partition, int64_t offset,
                                  const char *format, ...) {
        char text[2048];
        va_list words;

        va_start(words, format);
        rd_vsnprintf(text, sizeof(text), format, words);
        va_end(words);
        /* kafka_look_for_topics tells of it. */
        if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && begins_with(text, NOT_AVAILABLE))
                return;
        /* To the error event, as that of a broker that is away. */
        if (partition && is_for_the_moment(err) && (begins_with(text, FETCH_FAILED) || begins_with(text, QUERY_FAILED))) {
                rd_kafka_op_err(partition->rktp_rkt->rkt_rk, err, "topic \"%s\" partition %" PRId32 ": %s",
                                partition->rktp_rkt->rkt_topic->str, partition->rktp_partition, text);
                return;
        }
        __real_rd_kafka_consumer_err(queue, broker, err, version, topic, partition, offset, "%s", text);
}

static void tell(rd_kafka_cgrp_t *group, const rd_kafka_topic_partition_t *topic) {
        if (__real_rd_kafka_consumer_err)
                __real_rd_kafka_consumer_err(group->rkcg_q, RD_KAFKA_NODEID_UA, topic->err, 0, topic->topic, NULL,
                                             RD_KAFKA_OFFSET_INVALID, "%s: %s: %s", NOT_AVAILABLE, topic->topic,
                                             rd_kafka_err2str(topic->err));
}
#else
static void tell(rd_kafka_cgrp_t *group, const rd_kafka_topic_partition_t *topic) {
        (void)group, (void)topic;
}
#endif

/* Whether the group's leader has shared out less of a topic than there was. */
static rd_bool_t is_behind(const rd_kafka_cgrp_t *group) {
        const rd_kafka_topic_info_t *known;
        int i;

        RD_LIST_FOREACH(known, group->rkcg_subscribed_topics, i)
                if (known->partition_cnt == 0)
                        return rd_true;
        return rd_false;
}

/* Keeps the list of what is missing, and tells of what has been so for a while. Gives whether to ask for it now. */
static rd_bool_t are_missing(rd_kafka_cgrp_t *group, missing_t **missing) {
        const rd_ts_t now = rd_clock();
        missing_t *before = *missing, *all = rd_kafka_topic_partition_list_new(0);
        const rd_kafka_topic_partition_t *topic;
        rd_kafka_topic_partition_t *kept, *added;
        rd_bool_t ask = rd_false;

        RD_KAFKA_TPLIST_FOREACH(topic, group->rkcg_errored_topics) {
                rd_ts_t lasts;

                if (topic->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
                        continue;
                kept  = before ? rd_kafka_topic_partition_list_find(before, topic->topic, RD_KAFKA_PARTITION_UA) : NULL;
                added = rd_kafka_topic_partition_list_add(all, topic->topic, RD_KAFKA_PARTITION_UA);
                added->offset = kept ? kept->offset : now;
                added->err    = kept ? kept->err : RD_KAFKA_RESP_ERR_NO_ERROR;
                lasts         = now - added->offset;
                if (!added->err && lasts >= QUIET) {
                        tell(group, topic);
                        added->err = topic->err;
                }
                if (lasts < EAGER || lasts % SELDOM < 1000000)
                        ask = rd_true;
        }
        if (before)
                rd_kafka_topic_partition_list_destroy(before);
        *missing = all;
        return ask;
}

void kafka_look_for_topics(rd_kafka_t *rk, missing_t **missing) {
        rd_kafka_cgrp_t *group = rk->rk_cgrp;
        rd_bool_t ask;

        if (group->rkcg_group_protocol != RD_KAFKA_GROUP_PROTOCOL_CLASSIC)
                return;
        ask = are_missing(group, missing);
        if (ask || (group->rkcg_join_state == RD_KAFKA_CGRP_JOIN_STATE_STEADY && is_behind(group)))
                rd_kafka_metadata_refresh_consumer_topics(rk, NULL, "a subscribed topic was missing");
}
