/*
 * An admin's call waits for a broker that refuses connections without keeping a core busy.
 *
 * A request of an admin goes to one broker, the controller or another, and waits until that one is connected to. At each
 * change of any broker's state librdkafka (2.12.1) looks anew, and has the broker connected to at once if nothing is
 * going on with it (rd_kafka_broker_find_by_nodeid0, RD_KAFKA_OP_CONNECT). When the connection is refused that is
 * such a change, and so it goes round as fast as the refusals come: thousands of times a second where the broker's
 * host is this one. Here who looks waits until reconnect.backoff.ms is over; the client's watch has it look
 * again, once a second (watch.c).
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka these functions for its own (build.rs).
 */

#include "rdkafka_int.h"
#include "rdkafka_broker.h"

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such names. */
__attribute__((weak)) rd_kafka_broker_t *__real_rd_kafka_broker_controller_async(rd_kafka_t *rk, int state,
                                                                                 rd_kafka_enq_once_t *once);
__attribute__((weak)) rd_kafka_broker_t *__real_rd_kafka_broker_get_async(rd_kafka_t *rk, int32_t id, int state,
                                                                          rd_kafka_enq_once_t *once);

/* Whether a broker is not connected to, and is not to be for a moment. The time is its own thread's; it is read as it
 * is. */
static rd_bool_t is_refused(rd_kafka_t *rk, int32_t id) {
        rd_kafka_broker_t *broker = NULL;
        rd_bool_t refused         = rd_false;

        rd_kafka_rdlock(rk);
        if (id != -1)
                broker = rd_kafka_broker_find_by_nodeid(rk, id);
        rd_kafka_rdunlock(rk);
        if (broker) {
                refused = rd_kafka_broker_get_state(broker) == RD_KAFKA_BROKER_STATE_INIT &&
                          broker->rkb_ts_reconnect > rd_clock();
                rd_kafka_broker_destroy(broker);
        }
        return refused;
}

/* Has the caller told of the next change when the broker is refused. Gives true when it is. */
static rd_bool_t waits(rd_kafka_t *rk, int32_t id, rd_kafka_enq_once_t *once) {
        int version;

        do {
                version = rd_kafka_brokers_get_state_version(rk);
                if (!is_refused(rk, id))
                        return rd_false;
        } while (!rd_kafka_brokers_wait_state_change_async(rk, version, once));
        return rd_true;
}

rd_kafka_broker_t *__wrap_rd_kafka_broker_controller_async(rd_kafka_t *rk, int state, rd_kafka_enq_once_t *once) {
        int32_t id;

        rd_kafka_rdlock(rk);
        id = rk->rk_controllerid;
        rd_kafka_rdunlock(rk);
        return waits(rk, id, once) ? NULL : __real_rd_kafka_broker_controller_async(rk, state, once);
}

rd_kafka_broker_t *__wrap_rd_kafka_broker_get_async(rd_kafka_t *rk, int32_t id, int state,
                                                    rd_kafka_enq_once_t *once) {
        return waits(rk, id, once) ? NULL : __real_rd_kafka_broker_get_async(rk, id, state, once);
}
#endif
