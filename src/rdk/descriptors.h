/* descriptors.c: the files and sockets of librdkafka. */

#ifndef KAFKA_DESCRIPTORS_H
#define KAFKA_DESCRIPTORS_H

/* Notes that a descriptor was opened for librdkafka. Any thread may call it. */
void kafka_note_descriptor(int fd);

/* In a forked process: has it let go of all of them. */
void kafka_leave_descriptors(void);

#endif
