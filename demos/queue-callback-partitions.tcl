# queue-callback-partitions.tcl -- all partitions of a topic into one queue, by event.
#
#     tclsh queue-callback-partitions.tcl -brokers kafka1:9092 -topic my.test
#
# The order holds within a partition, not between partitions.

package require kafka

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -count 0]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

proc show {message} {
    if {[dict exists $message error]} {
        puts stderr "[dict get $message error]: [dict get $message message]"
        return
    }
    dict with message {puts "$partition/$offset: $payload"}
    if {[incr ::seen] == $::option(-count)} {set ::done 1}
}

::kafka::kafka create master
master config bootstrap.servers $option(-brokers)
master consumer_creator consumer
consumer new_topic topic $option(-topic)
consumer create_queue queue

queue consume_callback show
set partitions [topic info partitions]
for {set partition 0} {$partition < $partitions} {incr partition} {
    topic start_queue $partition beginning queue
}
puts "reading $partitions partitions"

vwait done
exit 0
