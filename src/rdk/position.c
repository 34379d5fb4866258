/*
 * A partition's position is behind what was read last.
 *
 * Where librdkafka (2.12.1) gives several messages at once (rd_kafka_q_serve_rkmessages) it moves a partition's position on, and
 * never back, and behind a PARTITION_EOF as behind a message. A pause, the script's as well as librdkafka's own while a group
 * rebalances, has fetching go on at that position. When a log had become another one (a topic made anew, or truncated) and
 * was read from its beginning, all up to the old position were skipped.
 *
 * So the position is set to what was read, in its order. Marks (marks.c) say where a partition begins anew.
 *
 * Compiled with librdkafka's private headers.
 */

#include "rdkafka_int.h"
#include "rdkafka_offset.h"
#include "rdkafka_op.h"
#include "rdkafka_partition.h"

#include "marks.h"

/* Where the partition goes on behind what was read; negative when that says nothing. */
static int64_t place_behind(const rd_kafka_message_t *message) {
        switch (message->err) {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
                return message->offset + 1;
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
                return message->offset;
        case RD_KAFKA_RESP_ERR__NOOP:
                return message->offset <= BEGINS ? BEGINS - message->offset : message->offset + 1;
        default:
                return -1;
        }
}

static void set_position(rd_kafka_toppar_t *partition, int64_t place, int32_t epoch) {
        rd_kafka_toppar_lock(partition);
        /* A seek meanwhile has made it invalid. */
        if (partition->rktp_app_pos.offset >= 0 && partition->rktp_app_pos.offset != place)
                rd_kafka_update_app_pos(partition->rktp_rkt->rkt_rk, partition, RD_KAFKA_FETCH_POS(place, epoch), RD_DONT_LOCK);
        rd_kafka_toppar_unlock(partition);
}

/* As rd_kafka_consume_batch_queue. */
ssize_t kafka_consume_batch_queue(rd_kafka_queue_t *queue, int timeout_ms, rd_kafka_message_t **messages, size_t size) {
        const ssize_t count = rd_kafka_consume_batch_queue(queue, timeout_ms, messages, size);
        int64_t place       = -1;
        int32_t epoch       = -1;
        ssize_t i;

        for (i = 0; i < count; i++) {
                rd_kafka_toppar_t *partition = ((rd_kafka_op_t *)messages[i]->_private)->rko_rktp;
                const int64_t next           = place_behind(messages[i]);

                if (next >= 0) {
                        place = next;
                        epoch = messages[i]->err ? -1 : rd_kafka_message_leader_epoch(messages[i]);
                }
                /* Of messages of one partition that follow each other the last one counts. */
                if (i + 1 < count && ((rd_kafka_op_t *)messages[i + 1]->_private)->rko_rktp == partition)
                        continue;
                if (partition && place >= 0)
                        set_position(partition, place, epoch);
                place = -1;
        }
        return count;
}
