# reader.tcl -- read a partition message by message.
#
#     tclsh reader.tcl -brokers kafka1:9092 -topic my.test -offset -10
#
# -offset is beginning, end, a number, or -n for the last n. With -count it ends after
# so many messages.

package require kafka

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -count 0 -offset beginning -partition 0]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

::kafka::kafka create master
master config bootstrap.servers $option(-brokers)
master consumer_creator consumer
consumer new_topic topic $option(-topic)

topic start $option(-partition) $option(-offset)

set seen 0
while {$option(-count) == 0 || $seen < $option(-count)} {
    # 1: there is a message in the array. 0: not within this second.
    if {[topic consume $option(-partition) 1000 message]} {
        incr seen
        puts "$message(partition)/$message(offset): $message(payload)"
    }
}
topic stop $option(-partition)
exit 0
