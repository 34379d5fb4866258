/*
 * What brokers.c, cluster.c, topics.c, groups.c and sequence.c share: librdkafka's private headers.
 *
 * These give src/rdk/mock/sys.rs access to the state of librdkafka's mock cluster. librdkafka declares that
 * state in private headers only. Compiled against them (build.rs), the compiler checks every structure and every
 * signature: an update of librdkafka that changes one of them fails to build. Nothing is decided in C; what the
 * cluster answers is decided in Rust.
 *
 * Everything runs on the mock cluster's own thread, which owns the state, except what changes the table of handlers.
 */

#ifndef KAFKA_MOCK_H
#define KAFKA_MOCK_H

#include "rdkafka_int.h"
#include "rdbuf.h"
#include "rdkafka_mock_int.h"
#include "rdkafka_timer.h"
#include "rdkafka_transport_int.h"

typedef rd_kafka_mock_cluster_t cluster_t;
typedef rd_kafka_mock_connection_t conn_t;
typedef rd_kafka_mock_topic_t topic_t;
typedef rd_kafka_mock_partition_t part_t;
typedef rd_kafka_mock_committed_offset_t commit_t;
typedef rd_kafka_mock_cgrp_classic_t classic_t;
typedef rd_kafka_mock_cgrp_classic_member_t cmember_t;
typedef rd_kafka_mock_cgrp_consumer_t modern_t;
typedef rd_kafka_mock_cgrp_consumer_member_t mmember_t;

static inline rd_kafkap_str_t kstr(const char *text, int length) {
        rd_kafkap_str_t s = {.len = length, .str = text};
        return s;
}

#endif
