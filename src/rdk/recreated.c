/*
 * A topic that was deleted and made again is read, and written to.
 *
 * Each partition of the new topic has the leader epoch 0 at first, whatever the old one's was (KIP-320): one more for each
 * time that its leader had gone. librdkafka (2.12.1) takes what a broker says of a partition for out of date when its epoch is
 * lower than the one it knows (rd_kafka_toppar_leader_update), also when the topic has got another id since. So it went
 * on to ask the old leader, by the old epoch, and each fetch was refused with UNKNOWN_LEADER_EPOCH: the partition was silent,
 * without an error, until its leader had changed as often as the old one's. Java's clients compare epochs of one topic id only
 * (Metadata.updateLatestMetadata); here those of the old topic are forgotten.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka this function for its own (build.rs).
 */

#include "rdkafka_int.h"
#include "rdkafka_metadata.h"
#include "rdkafka_topic.h"

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such name. */
__attribute__((weak)) int __real_rd_kafka_topic_metadata_update2(rd_kafka_broker_t *broker,
                                                                 const struct rd_kafka_metadata_topic *said,
                                                                 const rd_kafka_metadata_topic_internal_t *more);

static void forget_epoch(rd_kafka_toppar_t *partition) {
        if (!partition)
                return;
        rd_kafka_toppar_lock(partition);
        /* Unknown; a position of the old epoch is validated when the new one becomes known. */
        partition->rktp_leader_epoch = -1;
        rd_kafka_toppar_unlock(partition);
}

static void forget_epochs_of_another(rd_kafka_topic_t *topic, rd_kafka_Uuid_t id) {
        rd_kafka_toppar_t *partition;
        int i;

        rd_kafka_topic_wrlock(topic);
        /* Before Apache Kafka 2.8 there are no ids. */
        if (!RD_KAFKA_UUID_IS_ZERO(id) && !RD_KAFKA_UUID_IS_ZERO(topic->rkt_topic_id) &&
            rd_kafka_Uuid_cmp(id, topic->rkt_topic_id) != 0) {
                for (i = 0; i < topic->rkt_partition_cnt; i++)
                        forget_epoch(topic->rkt_p[i]);
                /* Those that are read though the topic did not have them for a while. */
                RD_LIST_FOREACH(partition, &topic->rkt_desp, i) {
                        forget_epoch(partition);
                }
        }
        rd_kafka_topic_wrunlock(topic);
}

/* Runs on librdkafka's main thread, with what a broker says of one topic. */
int __wrap_rd_kafka_topic_metadata_update2(rd_kafka_broker_t *broker, const struct rd_kafka_metadata_topic *said,
                                           const rd_kafka_metadata_topic_internal_t *more) {
        if (said->err == RD_KAFKA_RESP_ERR_NO_ERROR && said->topic) {
                rd_kafka_topic_t *topic = rd_kafka_topic_find(broker->rkb_rk, said->topic, 1 /* lock */);
                if (topic) {
                        forget_epochs_of_another(topic, more->topic_id);
                        rd_kafka_topic_destroy0(topic);
                }
        }
        return __real_rd_kafka_topic_metadata_update2(broker, said, more);
}
#endif
