/*
 * A rebalance ends before the next one begins.
 *
 * When the topics that a member by a cooperative strategy subscribes to change (a partition is added, say), librdkafka
 * (2.12.1) joins the group anew at once (rd_kafka_cgrp_metadata_update_check). Where the member was just asked to give up
 * partitions, what it was to be assigned after that (rkcg_rebalance_incr_assignment) stays behind, and the member counts as
 * rebalancing for ever: its close and unsubscribe wait out their time, another subscription is never made, and it does
 * not join when the group rebalances next, so that others are given partitions that it reads.
 *
 * So it joins when the script has given up, or taken, what it was asked to. A new assignment behind partitions given up does so
 * anyway.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka this function for its own (build.rs).
 */

#include "rdkafka_int.h"
#include "rdkafka_assignor.h"
#include "rdkafka_cgrp.h"

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such name. */
__attribute__((weak)) void __real_rd_kafka_cgrp_metadata_update_check(rd_kafka_cgrp_t *group, rd_bool_t do_join);

/* Whether a rebalance waits for the script, or for what it has given up. One by an eager strategy asks it to give up all,
 * which it may be asked twice. */
static rd_bool_t is_in_hand(const rd_kafka_cgrp_t *group) {
        if (!group->rkcg_assignor || group->rkcg_assignor->rkas_protocol != RD_KAFKA_REBALANCE_PROTOCOL_COOPERATIVE)
                return rd_false;
        switch (group->rkcg_join_state) {
        case RD_KAFKA_CGRP_JOIN_STATE_WAIT_ASSIGN_CALL:
        case RD_KAFKA_CGRP_JOIN_STATE_WAIT_UNASSIGN_CALL:
        case RD_KAFKA_CGRP_JOIN_STATE_WAIT_INCR_UNASSIGN_TO_COMPLETE:
                return rd_true;
        default:
                return rd_false;
        }
}

/* Called by librdkafka's main thread with what a broker has said of the topics. */
void __wrap_rd_kafka_cgrp_metadata_update_check(rd_kafka_cgrp_t *group, rd_bool_t do_join) {
        const rd_list_t *before = group->rkcg_subscribed_topics;

        if (!do_join || !is_in_hand(group)) {
                __real_rd_kafka_cgrp_metadata_update_check(group, do_join);
                return;
        }
        __real_rd_kafka_cgrp_metadata_update_check(group, rd_false);
        /* The list is another one when anything has changed. */
        if (group->rkcg_subscribed_topics != before)
                group->rkcg_rebalance_rejoin = rd_true;
}
#endif
