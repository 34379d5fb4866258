/*
 * The coordinators that a client remembers (rd_kafka_t.rk_coord_cache).
 *
 * librdkafka (2.12.1) forgets one that answers NOT_COORDINATOR only within a transaction; an admin's
 * requests (rd_kafka_coord_req_fsm) go to it again, as long as one comes within metadata.max.age.ms. No public
 * function ends that. Compiled with librdkafka's private headers, so that the compiler checks what is used here.
 */

#include "rdkafka_int.h"

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
