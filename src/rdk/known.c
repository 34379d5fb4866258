/*
 * A question about a topic that makes it neither on the cluster nor known to the client.
 *
 * rd_kafka_metadata asks for one topic by a topic handle. Making that handle makes the topic known to the client for good, with
 * the default configuration; and a producer asks so that a broker creates a topic that it does not have, where it
 * creates topics by itself (auto.create.topics.enable): a question about a misspelt name would make it.
 *
 * Compiled with librdkafka's private headers.
 */

#include "rdkafka_int.h"
#include "rdkafka_broker.h"
#include "rdkafka_request.h"

/* As rd_kafka_metadata of one topic (2.12.1), by name, and nothing is created. `*found` is the caller's to destroy. */
rd_kafka_resp_err_t kafka_describe_topic(rd_kafka_t *rk, const char *name, const struct rd_kafka_metadata **found,
                                         int timeout_ms) {
        rd_ts_t end = rd_timeout_init(timeout_ms);
        rd_kafka_resp_err_t err;
        rd_kafka_op_t *answer;

        do {
                rd_kafka_broker_t *broker = rd_kafka_broker_any_usable(rk, rd_timeout_remains(end), RD_DO_LOCK, 0,
                                                                       "question about a topic");
                rd_kafka_q_t *queue;
                rd_kafka_op_t *request;
                rd_list_t topics;

                if (!broker)
                        return RD_KAFKA_RESP_ERR__TRANSPORT;
                queue = rd_kafka_q_new(rk);
                rd_list_init(&topics, 1, rd_free);
                rd_list_add(&topics, rd_strdup(name));
                request = rd_kafka_op_new(RD_KAFKA_OP_METADATA);
                rd_kafka_op_set_replyq(request, queue, 0);
                /* Also while another question is under way. */
                request->rko_u.metadata.force = 1;
                rd_kafka_MetadataRequest(broker, &topics, NULL, "question about a topic",
                                         rd_false /* allow_auto_create */, rd_false /* cgrp_update */, -1,
                                         rd_false /* force_racks */, request);
                rd_list_destroy(&topics);
                rd_kafka_broker_destroy(broker);

                answer = rd_kafka_q_pop(queue, rd_timeout_remains_us(end), 0);
                rd_kafka_q_destroy_owner(queue);
                if (!answer)
                        return RD_KAFKA_RESP_ERR__TIMED_OUT;
                err = answer->rko_err;
                if (err) {
                        rd_kafka_op_destroy(answer);
                        /* Another broker is asked for one that the client has let go of. */
                        if (err != RD_KAFKA_RESP_ERR__DESTROY_BROKER)
                                return err;
                }
        } while (err);

        *found                     = answer->rko_u.metadata.md;
        answer->rko_u.metadata.md  = NULL;
        answer->rko_u.metadata.mdi = NULL;
        rd_kafka_op_destroy(answer);
        return RD_KAFKA_RESP_ERR_NO_ERROR;
}
