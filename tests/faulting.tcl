# faulting.tcl -- what the tests of faults share; source it after helper.tcl.
#
# KAFKA_TEST_FAULTS=200 has every such test meet so many faults instead of the few of a usual run, and
# KAFKA_TEST_SEED=n has them come at other points.

source [file join [file dirname [info script]] checking.tcl]

namespace eval faulting {
    variable seed [expr {[info exists ::env(KAFKA_TEST_SEED)] ? $::env(KAFKA_TEST_SEED) : 20261127}]
    variable last $seed         ;# of the numbers that seem random
    variable next               ;# source -> its next number
    variable ticking 0
    # Faults are met soon, and got over soon.
    variable impatient {
        reconnect.backoff.ms 20 reconnect.backoff.max.ms 100 retry.backoff.ms 20 retry.backoff.max.ms 100
        topic.metadata.refresh.fast.interval.ms 50
    }
    # A member that was killed is missed after a session.
    variable member {session.timeout.ms 6000 heartbeat.interval.ms 200 auto.commit.interval.ms 100}
    namespace export rounds random producing consuming logging produce steadily rest eachBroker
}

# rounds n -- how often a test meets its fault: n, unless KAFKA_TEST_FAULTS says another number.
proc faulting::rounds {n} {
    expr {[info exists ::env(KAFKA_TEST_FAULTS)] ? $::env(KAFKA_TEST_FAULTS) : $n}
}

# random below -- a number from 0 on, the same ones for the same seed.
proc faulting::random {below} {
    variable last
    set last [expr {($last * 1103515245 + 12345) % 2147483648}]
    expr {($last >> 8) % $below}
}

# producing source topic ?key value ...? -- a producer's topic object, whose messages are of that source.
proc faulting::producing {source topic args} {
    variable impatient
    variable next
    set next($source) 0
    set p [newProducer linger.ms 1 {*}$impatient {*}$args]
    if {[dict exists $args transactional.id]} {
        $p init_transactions
        $p begin_transaction
    }
    $p new_topic #auto $topic
}

# consuming group topic ?key value ...? -- a subscriber that tells the ledger what it has handled.
proc faulting::consuming {group topic args} {
    variable impatient
    variable member
    set s [[newMaster group.id $group {*}$impatient {*}$member {*}$args] subscriber #auto]
    $s callback {faulting::Handled group}
    $s subscribe $topic
    return $s
}
proc faulting::Handled {group m} {
    if {![dict exists $m error]} {$::ledger handled $group {*}[lrange [dict get $m payload] 0 1]}
}

# logging topic -- a consumer that tells the ledger what is in the log, from its beginning on.
proc faulting::logging {topic} {
    variable impatient
    set h [[newMaster check.crcs true {*}$impatient] consumer_creator #auto]
    set t [$h new_topic #auto $topic]
    for {set i 0; set n [$h info partitions $topic]} {$i < $n} {incr i} {
        $t start $i beginning [list faulting::Logged $topic]
    }
    return $h
}
proc faulting::Logged {topic m} {
    if {[dict exists $m error]} return
    dict with m {$::ledger stored {*}[lrange $payload 0 1] $topic/$partition $offset}
}

# produce object source count -- queue so many messages more.
proc faulting::produce {object source count} {
    variable next
    for {set i 0} {$i < $count} {incr i} {
        $object produce [expr {$next($source) % 4}] [checking::payload $source $next($source)] \
            -command {faulting::Reported}
        incr next($source)
    }
    $::ledger queued $source $next($source)
}
proc faulting::Reported {r} {
    $::ledger report {*}[lrange [dict get $r payload] 0 1] [expr {![dict exists $r error]}]
    if {[dict exists $r code]} {lappend ::failures [dict get $r code]}
}

# steadily source object ... -- produce a few messages of each every few milliseconds, but no more than some
# hundreds ahead of those that have arrived everywhere, until `rest`.
proc faulting::steadily {args} {
    variable ticking
    foreach {source object} $args {
        if {[$::ledger behind $source] < 400} {produce $object $source 5}
    }
    set ticking [after 5 [list faulting::steadily {*}$args]]
}

# rest ?ms? -- end that, and wait until all has arrived everywhere.
proc faulting::rest {{ms 60000}} {
    variable ticking
    after cancel $ticking
    waitFor -timeout $ms {[$::ledger settled] && [dict get [$::ledger verdict] unreported] == 0}
}

# eachBroker call n -- broker_down and the like for brokers 1 to n.
proc faulting::eachBroker {call n args} {
    for {set i 1} {$i <= $n} {incr i} {[cluster] $call $i {*}$args}
}

namespace import faulting::*
