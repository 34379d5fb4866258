/*
 * What no public function of librdkafka says or sets of a group's member.
 */

#include "rdkafka_int.h"
#include "rdkafka_cgrp.h"

/*
 * Gives a member of the consumer protocol (KIP-848), which chooses its id itself, that id.
 *
 * librdkafka (2.12.1) makes it of numbers by chance whose seed is the time and the thread of a first call. Forked
 * processes go on from their parent's seed: all that make a member have the same id, and the broker takes them for
 * one.
 *
 * Before the client has subscribed to anything: nobody reads the id until then.
 */
void kafka_name_member(rd_kafka_t *rk, const char *id) {
        if (rk->rk_cgrp && rk->rk_cgrp->rkcg_group_protocol == RD_KAFKA_GROUP_PROTOCOL_CONSUMER)
                rd_kafka_cgrp_set_member_id(rk->rk_cgrp, id);
}

/*
 * Whether the group waits for the answer to an assignment.
 *
 * An eager member whose group moves while an assignment waits for its answer joins again at once; the application is
 * not asked to give up what it was offered (rd_kafka_cgrp_revoke_all_rejoin). The assignment is void then, and the
 * event of it still in the application's queue.
 *
 * librdkafka's main thread may change the state at any moment; it is read as it is.
 */
int kafka_awaits_assign(rd_kafka_t *rk) {
        return rk->rk_cgrp && rk->rk_cgrp->rkcg_join_state == RD_KAFKA_CGRP_JOIN_STATE_WAIT_ASSIGN_CALL;
}

/*
 * Whether the group does not know the member any more, as far as its generation says: it was put out, and has not joined
 * again. Of the classic protocol its id has gone then, too, which is asked for as it is (rd_kafka_memberid).
 *
 * librdkafka's main thread may change these at any moment; they are read as they are.
 */
int kafka_is_out(rd_kafka_t *rk) {
        const rd_kafka_cgrp_t *rkcg = rk->rk_cgrp;

        if (!rkcg)
                return 0;
        if (rkcg->rkcg_group_protocol == RD_KAFKA_GROUP_PROTOCOL_CLASSIC)
                return rkcg->rkcg_generation_id == -1;
        return rkcg->rkcg_generation_id <= 0 ||
               rkcg->rkcg_consumer_flags &
                   (RD_KAFKA_CGRP_CONSUMER_F_WAIT_REJOIN | RD_KAFKA_CGRP_CONSUMER_F_WAIT_REJOIN_TO_COMPLETE);
}
