# sync-producer.tcl -- kafka::SyncProducer: a message for each line of standard input, delivered
# before the next is read.
#
#     tclsh sync-producer.tcl -brokers kafka1:9092 -topic kafka-topic < lines
#
# A line is a key, a tab and a value. -strategy is round_robin, random, md5 or a command prefix.

package require kafka::sync

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -strategy round_robin]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

kafka::SyncProducer create producer -brokers $option(-brokers) -topics $option(-topic) \
    -partition_strategy $option(-strategy)

# The three forms: to the first topic, to a topic, to a topic's partition.
set all {}
while {[gets stdin line] >= 0} {
    if {$line eq ""} continue
    lassign [split $line \t] key value
    set report [producer produce $key $value]
    puts "$key: partition [dict get $report partition], offset [dict get $report offset]"
    lappend all [list $key again]
}
producer produce $option(-topic) key value
producer produce $option(-topic) 2 key value

# Many at once, in one partition.
set reports [producer produce_list $option(-topic) -partition 3 $all]
puts "[llength $reports] more in partition 3"
producer close
