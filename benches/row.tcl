# row.tcl ROW BOOTSTRAP TOPIC PARTITIONS COUNT SIZE -- one row of the benchmark, in a
# process of its own: prints the microseconds of CPU of this thread and of wall time
# that one message took. See run.tcl.

package require kafka

lassign $argv row bootstrap topic partitions count size
set all {}
for {set p 0} {$p < $partitions} {incr p} {lappend all $p}

# What everything prefetched takes, in milliseconds; the measured part then waits for nothing.
set prefetch [expr {[info exists env(BENCH_PREFETCH)] ? $env(BENCH_PREFETCH) : 1500}]

proc cpu {} {::kafka::internal cpu}

proc begin {} {
    set ::wall0 [clock microseconds]
    set ::cpu0 [cpu]
}

proc spent {} {
    set ::spent [list [expr {[cpu] - $::cpu0}] [expr {[clock microseconds] - $::wall0}]]
}

proc wait {ms} {
    after $ms {set ::waited 1}
    vwait ::waited
}

# Blocks without serving events: what is prefetched stays where it is.
proc pause {} {after $::prefetch}

proc master {args} {
    set m [::kafka::kafka create #auto]
    $m config bootstrap.servers $::bootstrap {*}$args
    return $m
}

proc consuming {args} {
    master group.id bench-[pid] enable.auto.commit false auto.offset.reset earliest \
        queued.min.messages 10000000 queued.max.messages.kbytes 2000000 {*}$args
}

# A topic of a consumer whose partitions are started, each prefetched.
proc topicConsumer {} {
    set ::consumer [[consuming] consumer_creator #auto]
    set t [$::consumer new_topic #auto $::topic]
    foreach p $::all {$t start $p beginning}
    pause
    return $t
}

proc queueConsumer {} {
    set ::consumer [[consuming] consumer_creator #auto]
    set t [$::consumer new_topic #auto $::topic]
    set q [$::consumer create_queue #auto]
    foreach p $::all {$t start_queue $p beginning $q}
    pause
    return $q
}

proc subscriber {} {
    set s [[consuming] subscriber #auto]
    $s assign {*}[lmap p $::all {list $::topic $p beginning}]
    pause
    return $s
}

proc counting {m} {
    if {[incr ::n] == $::count} {
        spent
        set ::over 1
    }
}

proc reading {m} {
    incr ::bytes [string length [dict get $m payload]]
    if {[incr ::n] == $::count} {
        spent
        set ::over 1
    }
}

# Runs the event loop until the callback has seen all.
proc loop {} {
    begin
    vwait ::over
}

set n 0
set bytes 0

proc row-topic-batch {} {
    set t [topicConsumer]
    begin
    while {$::n < $::count} {
        foreach p $::all {$t consume_batch $p 0 1000 rec {incr ::n}}
    }
    spent
}

proc row-queue-batch {} {
    set q [queueConsumer]
    begin
    while {$::n < $::count} {$q consume_batch 0 1000 rec {incr ::n}}
    spent
}

proc row-topic-count {} {callback-topic counting}
proc row-topic-read {} {callback-topic reading}
proc callback-topic {prefix} {
    set ::consumer [[consuming] consumer_creator #auto]
    set t [$::consumer new_topic #auto $::topic]
    foreach p $::all {$t start $p beginning $prefix}
    pause
    loop
}

proc row-queue-count {} {
    set q [queueConsumer]
    $q consume_callback counting
    loop
}

proc row-queue-read {} {
    set q [queueConsumer]
    $q consume_callback reading
    loop
}

proc row-subscriber-count {} {
    set s [subscriber]
    $s callback counting
    loop
}

proc row-subscriber-consume {} {
    set s [subscriber]
    begin
    while {$::n < $::count} {
        if {[dict exists [$s consume 1000] payload]} {incr ::n}
    }
    spent
}

proc row-subscriber-list {} {
    set s [subscriber]
    begin
    while {$::n < $::count} {
        incr ::n [llength [$s consume_list 1000 1000 -fields payload]]
    }
    spent
}

proc producing {args} {
    master compression.codec lz4 linger.ms 50 queue.buffering.max.messages 10000000 \
        queue.buffering.max.kbytes 2000000 {*}$args
}

proc row-produce {} {
    set p [[producing] producer_creator #auto]
    set t [$p new_topic #auto $::topic]
    set payload [string repeat x $::size]
    set partitions $::partitions
    set count $::count
    begin
    for {set i 0} {$i < $count} {incr i} {$t produce [expr {$i % $partitions}] $payload}
    spent
    $p flush 60000
}

proc row-produce-batch {} {
    set p [[producing] producer_creator #auto]
    set t [$p new_topic #auto $::topic]
    set list [lrepeat 1000 [list [string repeat x $::size]]]
    begin
    for {set i 0} {$i < $::count / 1000} {incr i} {
        $t produce_batch [expr {$i % $::partitions}] $list
    }
    spent
    $p flush 60000
}

proc row-reports {} {
    set m [producing]
    set p [$m producer_creator #auto]
    $p delivery_report callback counting
    set t [$p new_topic #auto $::topic]
    set payload [string repeat x $::size]
    set partitions $::partitions
    set count $::count
    begin
    for {set i 0} {$i < $count} {incr i} {
        $t produce [expr {$i % $partitions}] $payload
        if {$i % 1000 == 0} {$p poll 0}
    }
    vwait ::over
}

# Tcl's own floor: what the interpreter alone takes for the array and the body, for a
# call with a dict, and for a call that reads the dict. No Kafka.
proc row-tcl-array {} {
    set payload [string repeat x $::size]
    set topic $::topic
    set i 0
    set count $::count
    begin
    while {$i < $count} {
        set rec(payload) [string range $payload 0 end]
        set rec(partition) 0
        set rec(offset) $i
        set rec(timestamp) [expr {1700000000000 + $i}]
        set rec(topic) $topic
        eval {incr i}
    }
    spent
}

proc row-tcl-count {} {tcl-call counting}
proc row-tcl-read {} {tcl-call reading}
proc tcl-call {prefix} {
    set payload [string repeat x $::size]
    begin
    for {set i 0} {$i < $::count} {incr i} {
        $prefix [list payload [string range $payload 0 end] partition 0 offset $i \
            timestamp [expr {1700000000000 + $i}] topic $::topic timestamp_type create_time]
    }
}

row-$row
lassign $spent cpu wall
puts "[expr {$cpu / double($count)}] [expr {$wall / double($count)}]"
