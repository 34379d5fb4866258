# mate.tcl -- a member of a group, until it is killed: tclsh mate.tcl auto_path conf group protocol auto topic
#
# Says what it is assigned, what is taken away, and what it is given before that counts as processed.

lassign $argv ::auto_path conf group protocol auto topic
package require kafka
fconfigure stdout -buffering line -translation lf
set master [::kafka::kafka create #auto]
$master logger none
$master config {*}$conf group.id $group enable.auto.commit $auto auto.commit.interval.ms 50
if {$protocol eq "consumer"} {
    $master config group.protocol consumer
} else {
    $master config session.timeout.ms 1500 heartbeat.interval.ms 100 partition.assignment.strategy $protocol
}
set member [$master subscriber #auto]
$member rebalance_callback {apply {event {
    puts [list [dict get $event event] {*}[lmap tp [dict get $event partitions] {lrange $tp 0 1}]]
}}}
$member subscribe $topic
# Who started it has gone when its input ends.
fileevent stdin readable {if {[gets stdin] eq "" && [eof stdin]} exit}
while 1 {
    if {[catch {$member consume_list 20 50 -fields {topic partition offset payload}} got options]} {
        puts [list error [dict get $options -errorcode] $got]
        after 10
        update
        continue
    }
    if {[llength $got]} {
        puts [list got {*}$got]
        if {!$auto && [catch {$member commit} message options]} {
            # Most often the partitions are others' now: they come again there.
            puts [list error [dict get $options -errorcode] $message]
        }
    }
    update
}
