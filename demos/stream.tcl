# stream.tcl -- kafka::StreamConsumer: follow a partition, as `tail -f` does a file.
#
#     tclsh stream.tcl -brokers kafka1:9092 -topic my.test -partition 0 -from latest
#
# -from is earliest, latest or an offset. No group is joined, nothing is committed.

package require kafka::partition

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -partition 0 -from earliest -count 0]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

proc show {record} {
    if {[dict exists $record error]} {
        # The place that was asked for is gone: the stream has ended.
        puts stderr "kafka: [dict get $record message]"
        exit 1
    }
    dict with record {
        puts "$offset: $payload ([expr {$high_watermark - $offset - 1}] more)"
    }
    if {[incr ::seen] == $::option(-count)} {set ::done 1}
}

set client [kafka::PartitionClient new -brokers $option(-brokers) -topic $option(-topic) \
    -partition $option(-partition) -unknown_topic retry]
set stream [kafka::StreamConsumer new $client -from $option(-from) -command show]
vwait done
$stream destroy
$client destroy
exit 0
