# batch-queue-reader.tcl -- batches from a queue, which any number of partitions and
# topics of one handle may feed.
#
#     tclsh batch-queue-reader.tcl -brokers kafka1:9092 -topic my.test

package require kafka

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -count 0]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

::kafka::kafka create master
master config bootstrap.servers $option(-brokers)
master consumer_creator consumer
consumer new_topic topic $option(-topic)
consumer create_queue queue

topic start_queue 0 beginning queue

set seen 0
while {$option(-count) == 0 || $seen < $option(-count)} {
    # Wait up to 2000 ms for messages, and take up to 100.
    queue consume_batch 2000 100 message {
        if {[info exists message(error)]} {
            puts stderr "$message(error): $message(message)"
            continue
        }
        puts "$message(partition)/$message(offset): $message(payload)"
        if {[incr seen] == $option(-count)} break
    }
}
exit 0
