# batch-reader.tcl -- read a partition in batches.
#
#     tclsh batch-reader.tcl -brokers kafka1:9092 -topic my.test
#
# A batch is what comes within two seconds, at most 1000 messages.

package require kafka

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -count 0 -offset beginning]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

::kafka::kafka create master
master config bootstrap.servers $option(-brokers)
master consumer_creator consumer
consumer new_topic topic $option(-topic)

topic start 0 $option(-offset)

set seen 0
while {$option(-count) == 0 || $seen < $option(-count)} {
    # Of partition 0: wait up to 2000 ms for messages, and take up to 1000.
    set n [topic consume_batch 0 2000 1000 message {
        # Errors come to the body too.
        if {[info exists message(error)]} {
            puts stderr "$message(error): $message(message)"
            continue
        }
        puts "$message(partition)/$message(offset): $message(payload)"
        # What the body doesn't reach comes first in the next batch.
        if {[incr seen] == $option(-count)} break
    }]
    puts "-- a batch of $n"
}
exit 0
