# latency-row.tcl ROW BOOTSTRAP TOPIC PARTITIONS COUNT SIZE -- one row of latency.tcl, in a process of its
# own: prints the median and the 99th percentile in microseconds, of what is sent meanwhile (it says
# `ready` when it reads) or of the delivery reports of what it sends itself.

package require kafka

lassign $argv row bootstrap topic partitions count size
set ages {}

proc print {} {
    set ages [lsort -integer $::ages]
    set last [expr {[llength $ages] - 1}]
    puts "[lindex $ages [expr {$last / 2}]] [lindex $ages [expr {int($last * 0.99)}]]"
    flush stdout
    exit
}

proc age {payload} {
    scan $payload %20lld made
    expr {[clock microseconds] - $made}
}

# The first message was there before; then the first ones make connections.
set got 0
proc take {m} {
    if {[dict exists $m error]} return
    if {$::got > $::count / 20} {lappend ::ages [age [dict get $m payload]]}
    if {[incr ::got] == 1} {
        puts ready
        flush stdout
    }
    if {$::got > $::count} print
}

proc master {args} {
    set m [::kafka::kafka create #auto]
    $m config bootstrap.servers $::bootstrap {*}$args
    return $m
}

proc reading {} {
    set wait [expr {[info exists ::env(BENCH_FETCH_WAIT)] ? $::env(BENCH_FETCH_WAIT) : 500}]
    master group.id latency-[pid] enable.auto.commit false fetch.wait.max.ms $wait
}

proc row-topic-callback {} {
    set c [[reading] consumer_creator #auto]
    set t [$c new_topic #auto $::topic]
    $t start 0 beginning take
    vwait forever
}

proc row-subscriber-callback {} {
    set s [[reading] subscriber #auto]
    $s callback take
    $s assign [list $::topic 0 beginning]
    vwait forever
}

proc row-subscriber-consume {} {
    set s [[reading] subscriber #auto]
    $s assign [list $::topic 0 beginning]
    while 1 {
        set m [$s consume 20000]
        if {$m eq ""} {error "only $::got messages came"}
        take $m
    }
}

# Each message is sent from a timer, as the floor does it: when it is due, every 3 ms.
proc row-report {} {
    set p [[master linger.ms 0] producer_creator #auto]
    $p delivery_report callback reported
    set ::sender [$p new_topic #auto $::topic]
    set ::due [clock milliseconds]
    send
    vwait forever
}

proc send {} {
    $::sender produce 0 [format %020lld [clock microseconds]][string repeat x [expr {$::size - 20}]]
}

proc reported {m} {
    if {[incr ::got] > $::count / 20} {lappend ::ages [age [dict get $m payload]]}
    if {$::got == $::count} print
    after [expr {max(0, [incr ::due 3] - [clock milliseconds])}] send
}

# What a call takes that waits for its message's delivery.
proc waiting {call} {
    for {set n 0} {$n < $::count} {incr n} {
        set began [clock microseconds]
        {*}$call
        if {$n > $::count / 20} {lappend ::ages [expr {[clock microseconds] - $began}]}
    }
    print
}

proc row-wait {args} {
    waiting [list [[master {*}$args] producer_creator #auto] send $::topic [string repeat x $::size] -wait 20000]
}
proc row-wait-0 {} {row-wait linger.ms 0}

proc row-value {args} {
    package require kafka::oo
    set p [kafka::Producer new -brokers $::bootstrap -conf $args]
    waiting [list apply {{p payload} {[$p send $::topic $payload] value}} $p [string repeat x $::size]]
}
proc row-value-0 {} {row-value linger.ms 0}

row-$row
