/*
 * What is appended to a partition, by the sequences of the producer that sent it (mock.h; sequence.rs says why).
 */

#include "mock.h"

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such name. */
__attribute__((weak)) rd_kafka_resp_err_t
__real_rd_kafka_mock_partition_log_append(part_t *p, const rd_kafkap_bytes_t *records,
                                          const rd_kafkap_str_t *transactional_id, int64_t *offset);

/* sequence.rs: Sequenced */
typedef struct {
        int64_t producer;
        int64_t offset;
        int32_t sequence;
        int32_t count;
        int16_t epoch;
} sequenced_t;

/* sequence.rs */
extern int16_t kafka_mock_sequence(const sequenced_t *batch, const sequenced_t *known, int count, int64_t *offset);

/* The batches of a producer that a partition knows: Kafka's ProducerStateEntry.NUM_BATCHES_TO_RETAIN. */
#define KNOWN 5

static int64_t number(const unsigned char *at, int bytes) {
        int64_t n = (signed char)*at;
        while (--bytes > 0)
                n = (int64_t)((uint64_t)n << 8) | *++at;
        return n;
}

/* Whether these are records of the format that has sequences. */
static int read_batch(const rd_kafkap_bytes_t *records, int64_t offset, sequenced_t *batch) {
        const unsigned char *data = records->data;
        if (RD_KAFKAP_BYTES_LEN(records) < RD_KAFKAP_MSGSET_V2_SIZE || data[RD_KAFKAP_MSGSET_V2_OF_MagicByte] != 2)
                return 0;
        batch->producer = number(data + RD_KAFKAP_MSGSET_V2_OF_ProducerId, 8);
        batch->epoch    = (int16_t)number(data + RD_KAFKAP_MSGSET_V2_OF_ProducerEpoch, 2);
        batch->sequence = (int32_t)number(data + RD_KAFKAP_MSGSET_V2_OF_BaseSequence, 4);
        batch->count    = (int32_t)number(data + RD_KAFKAP_MSGSET_V2_OF_RecordCount, 4);
        batch->offset   = offset;
        return 1;
}

/* Runs on the cluster's own thread, for each partition of a Produce request. */
rd_kafka_resp_err_t __wrap_rd_kafka_mock_partition_log_append(part_t *p, const rd_kafkap_bytes_t *records,
                                                              const rd_kafkap_str_t *transactional_id,
                                                              int64_t *offset) {
        sequenced_t batch, known[KNOWN];
        rd_kafka_mock_msgset_t *set;
        int count = 0;

        if (read_batch(records, -1, &batch) && batch.producer != -1) {
                int16_t err;
                int64_t found = -1;
                /* The log is what Kafka makes its own knowledge of producers from. */
                TAILQ_FOREACH_REVERSE(set, &p->msgsets, rd_kafka_mock_msgset_tailq_s, link) {
                        if (count == KNOWN)
                                break;
                        if (read_batch(&set->bytes, set->first_offset, &known[count]) &&
                            known[count].producer == batch.producer)
                                count++;
                }
                err = kafka_mock_sequence(&batch, known, count, &found);
                if (err)
                        return err;
                if (found >= 0) {
                        *offset = found;
                        return RD_KAFKA_RESP_ERR_NO_ERROR;
                }
        }
        return __real_rd_kafka_mock_partition_log_append(p, records, transactional_id, offset);
}
#endif
