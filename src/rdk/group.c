/*
 * The id of a member of the consumer protocol (KIP-848), which the client chooses.
 *
 * librdkafka (2.12.1) makes it of numbers by chance whose seed is the time and the thread of a first call. Forked
 * processes go on from their parent's seed: all that make a member have the same id, and the broker takes them for
 * one. No public function sets it.
 */

#include "rdkafka_int.h"
#include "rdkafka_cgrp.h"

/* Before the client has subscribed to anything: nobody reads the id until then. */
void kafka_name_member(rd_kafka_t *rk, const char *id) {
        if (rk->rk_cgrp && rk->rk_cgrp->rkcg_group_protocol == RD_KAFKA_GROUP_PROTOCOL_CONSUMER)
                rd_kafka_cgrp_set_member_id(rk->rk_cgrp, id);
}
