# producer-report.tcl -- a producer that is told of every nth delivery.
#
#     tclsh producer-report.tcl -brokers kafka1:9092 -topic my.test -every 10 < lines
#
# Failed deliveries are always reported. The exit status is 1 when there was one.

package require kafka

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -count 0 -every 10]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

proc delivered {report} {
    if {[dict exists $report error]} {
        puts "lost [dict get $report payload]: [dict get $report error]"
        set ::lost 1
    } else {
        puts "delivered [dict get $report payload] at offset [dict get $report offset]"
    }
}

# The easy interface: one master and one producer, made when they are needed.
kafka::brokers [split $option(-brokers) ,]
kafka::master delivery_report callback delivered
kafka::master delivery_report every $option(-every)
kafka::topic_producer topic $option(-topic)

set lost 0
set sent 0
while {[gets stdin line] >= 0} {
    topic produce 0 $line
    if {[incr sent] == $option(-count)} break
}
# While flush waits, the callback runs.
kafka::producer flush 10000
exit $lost
