# members.tcl -- members of a group in processes of their own, on a real broker: sourced after
# helper.tcl by failover.test and steering.test.

source [file join [file dirname [file dirname [file normalize [info script]]]] checking.tcl]

# What each protocol wants. A real broker takes sessions of 6 seconds at the least.
set classic {session.timeout.ms 6000 heartbeat.interval.ms 500}
set protocols [dict create \
    range [list partition.assignment.strategy range {*}$classic] \
    roundrobin [list partition.assignment.strategy roundrobin {*}$classic] \
    cooperative-sticky [list partition.assignment.strategy cooperative-sticky {*}$classic] \
    consumer {group.protocol consumer}]

# A member in a process of its own. It says which partitions it gets and gives up, and what it
# has handled, as "partition offset payload"; it commits what it gives up. The line "close" has
# it leave.
set member {
    lassign $argv bootstrap group topic settings
    set m [kafka::kafka create #auto]
    $m config bootstrap.servers $bootstrap group.id $group auto.commit.interval.ms 200 {*}$settings
    $m logger none
    set s [$m subscriber #auto]
    $s rebalance_callback {apply {e {
        if {[dict get $e event] eq "revoke"} {catch {$::s commit}}
        puts [list [dict get $e event] {*}[lmap tp [dict get $e partitions] {lindex $tp 1}]]
    }}}
    $s callback {apply {m {
        if {[dict exists $m error]} return
        puts "[dict get $m partition] [dict get $m offset] [dict get $m payload]"
        # So slow that whoever ends it finds it at work.
        after 1
    }}}
    $s subscribe $topic
    fileevent stdin readable {
        if {[gets stdin line] < 0} exit
        $s close
        exit
    }
    vwait forever
}

# take handle ... -- what the members have said: counts into ::seen by payload, the number of
# partitions that each holds into ::held.
proc take {args} {
    foreach h $args {
        while {[llength $::helper::child($h,lines)]} {said $h [childLine $h]}
    }
}
proc said {h line} {
    set rest [lassign $line first]
    switch $first {
        assign {incr ::held($h) [llength $rest]}
        revoke - lost {incr ::held($h) -[llength $rest]}
        default {incr ::seen([lindex $line 2])}
    }
}

# until condition handle ... -- take what the members say until the condition holds.
proc until {condition args} {
    waitFor -timeout 120000 {[take {*}$args] eq "" && [uplevel 1 [list expr $condition]]}
}

# Whether all members hold something, all partitions between them.
proc settled {count args} {
    set sum 0
    foreach h $args {
        if {![info exists ::held($h)] || $::held($h) <= 0} {return 0}
        incr sum $::held($h)
    }
    expr {$sum == $count}
}

# ending handle call -- end a member; what it said last counts, too.
proc ending {h call} {
    foreach line [split [dict get [uplevel 1 $call] stdout] \n] {if {$line ne ""} {said $h $line}}
}

# fill topic first count -- the numbers from first on, over all partitions.
proc fill {topic first count} {
    set p [producer linger.ms 5]
    for {set i $first} {$i < $first + $count} {incr i} {
        $p send $topic $i -partition [expr {$i % $::partitions}] -block 30000
    }
    if {[$p flush 60000]} {error "not everything was delivered"}
    $p delete
}

# How many numbers below total are missing, and how often one came again, by the main suite's checker.
proc check {total} {
    set ledger [checking::Ledger new group]
    for {set i 0} {$i < $total} {incr i} {
        # `fill` has seen to it that all were delivered.
        $ledger report input $i 1
        $ledger stored input $i log $i
    }
    foreach {number count} [array get ::seen] {
        for {set i 0} {$i < $count} {incr i} {$ledger handled group input $number}
    }
    set counts [dict get [$ledger verdict] groups group]
    $ledger destroy
    list [dict get $counts skipped] [dict get $counts repeated]
}
