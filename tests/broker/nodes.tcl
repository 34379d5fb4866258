# nodes.tcl -- the nodes of a cluster, by the commands of scripts/broker: who leads, who coordinates, and faults:
# sourced after helper.tcl by cluster.test.
#
# KAFKA_NODE is a command that takes a node's number, which is also its broker id, and one of kill (kill -9),
# stop (in order) and start.

namespace eval nodes {
    variable asker ""           ;# a handle that asks for metadata,
    variable admin ""           ;# and one for all else
    variable asked 0
    variable running 0          ;# numbers of the commands that were begun
    variable output             ;# number -> what it said
    variable status             ;# number -> its exit status, once it has ended
    variable pipes              ;# number -> its pipe, until then
    variable kills 0            ;# how many nodes were killed,
    variable stops 0            ;# and stopped
    variable away {}            ;# those that are away now
    variable patience 300000    ;# for the cluster to be whole, and for a command to end
    # A node starts while the whole load works, on a machine that may have much else to do.
    set ::env(KAFKA_START_SECONDS) [env KAFKA_START_SECONDS 240]
    variable seed [env KAFKA_TEST_SEED 20261129]
    expr {srand($seed)}
}

# connect -- the handles that ask the cluster; every test makes its own.
proc nodes::connect {} {
    variable asker [producer]
    variable admin [$asker admin #auto]
}

# random n -- from 0 to n - 1; pick list -- one of them; shuffled list.
proc nodes::random {n} {expr {int(rand() * $n)}}
proc nodes::pick {list} {lindex $list [random [llength $list]]}
proc nodes::shuffled {list} {
    set result {}
    while {[llength $list]} {
        set i [random [llength $list]]
        lappend result [lindex $list $i]
        set list [lreplace $list $i $i]
    }
    return $result
}

# ---------------------------------------------------------------- commands beside the event loop

# begin word ... -- run a program; its number, for `end`.
proc nodes::begin {args} {
    variable running
    variable output
    variable pipes
    set n [incr running]
    set output($n) ""
    set pipes($n) [open |[list {*}$args </dev/null 2>@1] r]
    fconfigure $pipes($n) -blocking 0
    fileevent $pipes($n) readable [list nodes::Heard $n]
    return $n
}

proc nodes::Heard {n} {
    variable output
    variable pipes
    variable status
    append output($n) [read $pipes($n)]
    if {![eof $pipes($n)]} return
    fconfigure $pipes($n) -blocking 1
    set status($n) [catch {close $pipes($n)}]
    unset pipes($n)
}

# end n ?ms? -- what it said; throws if it failed, or is not over in time.
proc nodes::end {n {ms 300000}} {
    variable output
    variable status
    try {
        waitFor -timeout $ms "\[load::take\] && \[info exists ::nodes::status($n)\]"
    } on error {message options} {
        stop $n
        return -options $options "$message; it said: $output($n)"
    }
    set said $output($n)
    set failed $status($n)
    unset output($n) status($n)
    if {$failed} {error "a command failed: $said"}
    return $said
}

# stop n -- end a program that would not end by itself; what it said.
proc nodes::stop {n} {
    variable output
    variable pipes
    if {[info exists pipes($n)]} {
        # It may have ended meanwhile; and what it said is wanted also if its pipe stays open.
        catch {exec sh -c {kill -s KILL "$1" 2>/dev/null} sh [lindex [pid $pipes($n)] 0]}
        catch {waitFor "\[info exists ::nodes::status($n)\]"}
    }
    return $output($n)
}

# tool name word ... -- begin one of Kafka's own programs.
proc nodes::tool {name args} {
    begin [file join [env KAFKA_HOME] bin $name.sh] --bootstrap-server [env KAFKA_BOOTSTRAP] {*}$args
}

# ---------------------------------------------------------------- who is what

proc nodes::leader {topic partition} {
    dict get [ask describe_topics $topic] $topic partitions $partition leader
}

proc nodes::coordinator {group} {
    dict get [ask describe_groups $group] $group coordinator id
}

# ask word ... -- a call of an admin; what passes by itself, such as a coordinator on its way to another node, is
# asked again.
proc nodes::ask {args} {
    variable admin
    set end [expr {[clock milliseconds] + 60000}]
    while 1 {
        try {
            return [$admin {*}$args]
        } trap KAFKA {message options} {
            if {"retriable" ni [lindex [dict get $options -errorcode] end] || [clock milliseconds] > $end} {
                return -options $options $message
            }
        }
        load::take
        serveFor 100
    }
}

# A broker gives any broker's name to a client that asks for the controller, so the quorum is asked.
proc nodes::controller {} {
    set said [end [tool kafka-metadata-quorum describe --status]]
    if {![regexp -line {^LeaderId:\s+(\d+)} $said - id]} {error "no controller in: $said"}
    return $id
}

proc nodes::transactionCoordinator {id} {
    set said [end [tool kafka-transactions describe --transactional-id $id]]
    if {![regexp -line "^(\\d+)\\s+$id\\s" $said - node]} {error "no coordinator of $id in: $said"}
    return $node
}

# ---------------------------------------------------------------- faults

# command what node ... -- kill, stop or start these nodes at once.
proc nodes::command {what args} {
    variable patience
    variable away
    set away [lsearch -all -inline -not -regexp $away ^([join $args |])\$]
    if {$what ne "start"} {lappend away {*}$args}
    set begun [lmap node $args {begin {*}[env KAFKA_NODE] $node $what}]
    foreach n $begun {end $n $patience}
}

# revive -- start what a test that failed has left away.
proc nodes::revive {} {
    variable away
    if {[llength $away]} {command start {*}$away}
}

# without what ms node ... -- kill or stop these nodes at once, leave them away for a time, and start them; the
# cluster is whole when this returns.
proc nodes::without {what ms args} {
    variable kills
    variable stops
    incr [expr {$what eq "kill" ? "kills" : "stops"}] [llength $args]
    command $what {*}$args
    set away [clock milliseconds]
    waitFor -timeout [expr {$ms + 1000}] {[load::take] && [clock milliseconds] - $away >= $ms}
    command start {*}$args
    whole
}

# whole -- wait until all nodes are up, and every replica of every partition is in sync.
proc nodes::whole {} {
    variable patience
    waitFor -timeout $patience {[load::take] && [nodes::isWhole]}
}

proc nodes::isWhole {} {
    variable asked
    variable asker
    if {[clock milliseconds] - $asked < 100} {return 0}
    set asked [clock milliseconds]
    try {
        set all [$asker metadata -timeout 2000]
    } trap KAFKA {} {return 0}
    if {[llength [dict get $all brokers]] < 3} {return 0}
    dict for {topic found} [dict get $all topics] {
        if {[dict exists $found error]} {return 0}
        dict for {partition place} [dict get $found partitions] {
            if {[dict get $place leader] < 0} {return 0}
            if {[llength [dict get $place isr]] < [llength [dict get $place replicas]]} {return 0}
        }
    }
    return 1
}
