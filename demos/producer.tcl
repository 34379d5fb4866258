# producer.tcl -- a message for each line of standard input.
#
#     tclsh producer.tcl -brokers kafka1:9092 -topic my.test < lines
#
# -partition -1 lets the partitioner choose. The exit status is 1 when a message was
# not delivered.

package require kafka

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -count 0 -partition 0]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

::kafka::kafka create master
master config bootstrap.servers $option(-brokers)
master producer_creator producer
producer new_topic topic $option(-topic)

set sent 0
while {[gets stdin line] >= 0} {
    # -block waits for room when the queue is full.
    topic produce $option(-partition) $line -block 10000
    if {[incr sent] == $option(-count)} break
}
# Produce only queues: flush waits for the deliveries.
set left [producer flush 10000]
puts "$sent produced, $left not delivered"
exit [expr {$left > 0}]
