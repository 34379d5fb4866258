# world.tcl -- the cluster that the sequences of one process run on, what is written to it, and what is done to it.
#
# It is an embedded cluster of three brokers, or a real one that is given. Whatever is done is done when the
# call returns, so that the model's log is what the cluster has.

package require kafka
source [file join [file dirname [file normalize [info script]]] log.tcl]

namespace eval ::model::world {
    variable real 0
    variable sole 0         ;# whether brokers may be taken away
    variable bootstrap
    variable mock ""
    variable log            ;# of this sequence
    variable serial 0
    variable topics {}      ;# of this sequence
    variable down {}        ;# brokers that are away
    variable waiting {}     ;# what will be written when they are back
    variable troubles {}    ;# kinds of what was done since the last quiet moment: away idle remade group
}

# open given -- begin: an embedded cluster, or the real one whose brokers are given.
proc ::model::world::open {given} {
    variable real [expr {$given ne ""}]
    variable sole
    variable bootstrap $given
    variable mock
    variable admin
    if {$real} {
        # Who has the brokers to itself may have them killed.
        set sole [expr {[info exists ::env(KAFKA_MODEL_KILL)] && [info exists ::env(KAFKA_NODE)]}]
    } else {
        set sole 1
        set mock [::kafka::kafka mock #auto -brokers 3]
        $mock rebalance_delay 0
        # As scripts/broker has it.
        $mock consumer_timeouts 6000 500
        set bootstrap [$mock bootstrap]
    }
    set admin [[master] admin #auto]
    writers
}

# writers -- those who write, anew: they know the partitions of before, and the numbers of what they have written.
proc ::model::world::writers {} {
    variable writer
    variable transactor
    foreach name {writer transactor} {
        # Until it has ended it asks for its topics, and so would have the brokers make them.
        if {[info exists $name] && [set $name] ne ""} {[set $name] close}
    }
    # What is sent again, as its answer was lost with a broker, is there once.
    set master [master linger.ms 0 enable.idempotence true]
    set writer [$master producer_creator #auto]
    set transactor ""
    $master delete
}

# conf -- the properties of every client.
proc ::model::world::conf {} {
    variable bootstrap
    variable real
    set conf [dict create bootstrap.servers $bootstrap fetch.wait.max.ms 20 reconnect.backoff.ms 20 \
        reconnect.backoff.max.ms 200 topic.metadata.refresh.interval.ms 200]
    # The embedded cluster sometimes never answers a request on a connection made while a broker came back.
    if {!$real} {dict set conf socket.timeout.ms 3000}
    return $conf
}

# master ?key value ...? -- a master of this cluster.
proc ::model::world::master {args} {
    set master [::kafka::kafka create #auto]
    $master config {*}[conf] {*}$args
    $master logger none
    return $master
}

proc ::model::world::name {stem} {
    variable serial
    return $stem-[pid]-[clock seconds]-[incr serial]
}

# begin -- a sequence begins: two topics of its own.
proc ::model::world::begin {} {
    variable log [::model::Log new]
    variable topics {}
    variable waiting {}
    variable troubles {}
    variable numbers 0
    foreach n {3 1} {
        set topic [name model]
        lappend topics $topic
        create $topic $n
        $log make $topic $n
    }
}

proc ::model::world::end {} {
    variable log
    variable topics
    variable admin
    heal
    catch {$admin delete_topic {*}$topics}
    $log destroy
}

# until script -- again until it gives a true value; the last error after 30 s.
proc ::model::world::until {script} {
    set end [expr {[clock milliseconds] + 30000}]
    while {[catch {uplevel 1 $script} result] || !$result} {
        if {[clock milliseconds] > $end} {error "timed out: $script: $result"}
        after 10
    }
}

proc ::model::world::create {topic n} {
    variable admin
    $admin create_topic $topic -partitions $n
    known $topic $n
}

# known topic n -- wait until its leaders know that they are.
proc ::model::world::known {topic n} {
    variable admin
    until {
        for {set p 0} {$p < $n} {incr p} {$admin list_offsets [list $topic $p latest]}
        expr 1
    }
}

# trouble kind -- what happens now excuses some errors until the next quiet moment is over.
proc ::model::world::trouble {kind} {
    variable troubles
    if {$kind ni $troubles} {lappend troubles $kind}
}

# ---------------------------------------------------------------- writing

# text tp -- the payload of a new message: its number, and which topic of that name it is for.
proc ::model::world::text {tp} {
    variable log
    variable numbers
    return "[incr numbers] [$log generation [lindex $tp 0]] [lindex $tp 1]"
}

# write tp n -- now, or when the brokers are back.
proc ::model::world::write {tp n} {
    variable down
    variable waiting
    if {[llength $down]} {
        lappend waiting [list Write $tp $n]
    } else {
        Write $tp $n
    }
}

proc ::model::world::Write {tp n} {
    variable log
    variable writer
    lassign $tp topic p
    set messages {}
    for {set i 0} {$i < $n} {incr i} {lappend messages [list [text $tp]]}
    foreach report [$writer send_batch $topic [lmap m $messages {::model::world::Envelope $m}] \
            -partition $p -wait 30000] message $messages {
        $log put $tp [dict get $report offset] [lindex $message 0] 1
    }
}

# The JSON consumer wants its own form.
proc ::model::world::Envelope {message} {
    if {$::model::reading eq "json"} {
        return [list [::kafka::json::pack_payload model [lindex $message 0] {} string] -key k]
    }
    return $message
}

# transact tp n commit -- a transaction with n messages.
proc ::model::world::transact {tp n commit} {
    variable down
    variable waiting
    if {[llength $down]} {
        lappend waiting [list Transact $tp $n $commit]
    } else {
        Transact $tp $n $commit
    }
}

proc ::model::world::Transact {tp n commit} {
    variable log
    variable real
    variable transactor
    lassign $tp topic p
    if {$transactor eq ""} {
        set transactor [[master transactional.id [name id] linger.ms 0] producer_creator #auto]
        Again $transactor init_transactions
    }
    $transactor begin_transaction
    for {set i 0} {$i < $n} {incr i} {
        set text [text $tp]
        set report [$transactor send $topic {*}[Envelope [list $text]] -partition $p -wait 30000]
        # The embedded cluster shows also what was aborted.
        $log put $tp [dict get $report offset] $text [expr {$commit || !$real}]
    }
    Again $transactor [expr {$commit ? "commit_transaction" : "abort_transaction"}]
    if {!$real} return
    $log mark $tp
    # Its mark is there a little after the answer.
    variable admin
    until {expr {[dict get [lindex [dict values [$admin list_offsets [list {*}$tp latest]]] 0] offset] >= [$log end $tp]}}
}

# Again word ... -- until the error is none that passes.
proc ::model::world::Again {args} {
    set end [expr {[clock milliseconds] + 30000}]
    while {[catch $args result options]} {
        if {"retriable" ni [lindex [dict get $options -errorcode] end] || [clock milliseconds] > $end} {
            return -options $options $result
        }
        after 20
    }
    return $result
}

# ---------------------------------------------------------------- what is done to the cluster

# trim tp offset -- delete the messages before it.
proc ::model::world::trim {tp offset} {
    variable log
    variable admin
    variable down
    if {[llength $down]} return
    Again $admin delete_records [list {*}$tp $offset]
    $log trim $tp $offset
}

# grow topic -- one partition more.
proc ::model::world::grow {topic} {
    variable log
    variable admin
    variable down
    set n [expr {[$log partitions $topic] + 1}]
    if {[llength $down] || $n > 5} return
    trouble group
    $admin create_partitions $topic $n
    known $topic $n
    writers
    $log grow $topic $n
}

# remake topic -- deleted, and made again: the new one is empty.
proc ::model::world::remake {topic} {
    variable log
    variable admin
    variable down
    if {[llength $down]} return
    trouble remade
    set n [$log partitions $topic]
    # A producer that asks for the topic would have the brokers make it.
    writers
    $admin delete_topic $topic
    until {expr {$topic ni [$admin list_topics]}}
    # A moment in which the others may see that it is gone.
    ::model::serve 50
    # Kafka deletes in the background, and says so.
    until {
        $admin create_topic $topic -partitions $n
        expr 1
    }
    known $topic $n
    $log make $topic $n
}

# down id -- a broker goes away.
proc ::model::world::down {id} {
    variable mock
    variable real
    variable down
    variable sole
    if {!$sole || [llength $down]} return
    trouble away
    if {$real} {
        set id [expr {($id - 1) % $::env(KAFKA_NODES) + 1}]
        Node $id kill
    } else {
        $mock broker_down $id
    }
    lappend down $id
}

# Node id what -- kill or start a node of the real cluster. The event loop runs on: the readers are to see it.
proc ::model::world::Node {id what} {
    variable over
    set pipe [::open |[list {*}$::env(KAFKA_NODE) $id $what 2>@1] r]
    fconfigure $pipe -blocking 0
    set over($pipe) ""
    fileevent $pipe readable [list ::model::world::Heard $pipe]
    set text ""
    while {![eof $pipe]} {
        vwait ::model::world::over($pipe)
        append text $over($pipe)
    }
    unset over($pipe)
    fconfigure $pipe -blocking 1
    if {[catch {close $pipe}]} {error "node $id $what: $text"}
}
proc ::model::world::Heard {pipe} {
    variable over
    set over($pipe) [read $pipe]
    if {[eof $pipe]} {fileevent $pipe readable {}}
}

# heal -- they are back, and what waited is written.
proc ::model::world::heal {} {
    variable mock
    variable real
    variable down
    variable waiting
    if {![llength $down]} return
    foreach id $down {
        if {$real} {Node $id start} else {$mock broker_up $id}
    }
    set down {}
    foreach words $waiting {{*}$words}
    set waiting {}
}

# ---------------------------------------------------------------- time

# serve ms -- the event loop, for so long.
proc ::model::serve {ms} {
    variable over
    # A name of its own, as these may be nested.
    set timer [namespace current]::over([incr ::model::overs])
    after $ms [list set $timer 1]
    vwait $timer
    unset $timer
}
