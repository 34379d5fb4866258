# host.tcl -- an embedded cluster in a process of its own, so that its work is not in
# anybody's figures. Prints where it listens; ends with its standard input.

package require kafka

::kafka::kafka mock cluster -brokers 1
cluster rebalance_delay 0
puts [cluster bootstrap]
flush stdout
while {[gets stdin line] >= 0} {
    # create TOPIC PARTITIONS
    lassign $line word topic partitions
    cluster create_topic $topic -partitions $partitions
    puts done
    flush stdout
}
cluster delete
