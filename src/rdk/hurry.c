/*
 * A message that somebody waits for does not wait for others.
 *
 * librdkafka keeps a message for linger.ms (5 by default), so that others can go in the same request, except while rd_kafka_flush
 * runs. A call that waits for one delivery pays for that each time and gets nothing for it. It can't call rd_kafka_flush, which
 * blocks until there is no message any more. So here is its beginning and its end.
 *
 * Compiled with librdkafka's private headers.
 */

#include "rdkafka_int.h"
#include "rdkafka_broker.h"

/* Has the messages of a producer sent without waiting for linger.ms, until kafka_hurry_end. False, and nothing is to be
 * ended, where linger.ms was set: it is what its user wants. */
rd_bool_t kafka_hurry(rd_kafka_t *rk) {
        if (rk->rk_type != RD_KAFKA_PRODUCER || rd_kafka_conf_is_modified(&rk->rk_conf, "queue.buffering.max.ms"))
                return rd_false;
        rd_atomic32_add(&rk->rk_flushing, 1);
        rd_kafka_all_brokers_wakeup(rk, RD_KAFKA_BROKER_STATE_UP, "a message is waited for");
        return rd_true;
}

void kafka_hurry_end(rd_kafka_t *rk) {
        rd_atomic32_sub(&rk->rk_flushing, 1);
}
