# cluster.tcl -- the cluster of a soak, in a process of its own: says where it is, then does what it
# reads, a call's words in each line, until its input ends.

::kafka::kafka mock ::cluster -brokers 3
::cluster rebalance_delay 0
foreach topic $argv {::cluster create_topic $topic -partitions 4 -replication 3}
puts [::cluster bootstrap]
while {[gets stdin line] >= 0} {
    if {[catch {::cluster {*}$line} message]} {puts stderr "$line: $message"}
}
