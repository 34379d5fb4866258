/*
 * What a member of a group knows of the topics that it has subscribed to (topics.c).
 */
#ifndef KAFKA_TOPICS_H
#define KAFKA_TOPICS_H

#include "rdkafka_int.h"

/* Topics that are missing: `offset` is since when, in microseconds, and `err` whether the reader was told. */
typedef rd_kafka_topic_partition_list_t missing_t;

/* Has a member of the classic protocol look for topics that were missing. To be called once a second, on librdkafka's
 * main thread; `*missing` is NULL at first, and the caller's to free. */
void kafka_look_for_topics(rd_kafka_t *rk, missing_t **missing);

#endif
