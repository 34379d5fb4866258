/*
 * The timestamp 0, which is the first moment of 1970.
 *
 * librdkafka's functions take it for "now" (rd_kafka_msg_new0); in a message it is a time like others. A message that
 * is to have it comes with ZERO, which is put right where librdkafka shows each new message to its interceptors.
 *
 * Compiled with librdkafka's private headers. The linker gives librdkafka this function for its own (build.rs).
 */

#include "rdkafka_int.h"
#include "rdkafka_msg.h"
#include "rdkafka_interceptor.h"

/* rdk::topic sends this. No message has it: Kafka refuses timestamps before 1970. */
#define ZERO INT64_MIN

#ifndef __APPLE__
/* Weak, as a program that is linked without the replacement (a test of ours) has no such name. */
__attribute__((weak)) void __real_rd_kafka_interceptors_on_send(rd_kafka_t *rk, rd_kafka_message_t *message);

void __wrap_rd_kafka_interceptors_on_send(rd_kafka_t *rk, rd_kafka_message_t *message) {
        rd_kafka_msg_t *msg = rd_kafka_message2msg(message);

        if (msg->rkm_timestamp == ZERO)
                msg->rkm_timestamp = 0;
        __real_rd_kafka_interceptors_on_send(rk, message);
}
#endif
