# metadata.tcl -- what a cluster consists of.
#
#     tclsh metadata.tcl -brokers kafka1:9092

package require kafka

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -count 0]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

::kafka::kafka create master
master config bootstrap.servers $option(-brokers)
master consumer_creator consumer

puts "brokers: [lsort [consumer info brokers]]"
foreach topic [lsort [consumer info topics]] {
    puts "topic $topic: [consumer info partitions $topic] partition(s)"
}
exit 0
