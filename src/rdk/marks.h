/*
 * What the offset of a mark says (marks.c).
 */
#ifndef KAFKA_MARKS_H
#define KAFKA_MARKS_H

/* The offset of a mark where fetching begins is this less the place, and so below all that librdkafka has a name for:
 * it takes the offset after what was read for the reader's place, and would store it. (rdk::message has the number, too.) */
#define BEGINS (-2000)

#endif
