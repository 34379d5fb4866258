# faults.tcl -- what goes wrong in a soak: one fault every few seconds, by chance, the same ones for the
# same seed. Each is over within seconds.

namespace eval faults {
    variable met                ;# kind -> how often
    variable names {}           ;# kinds, drawn from
    variable pending {}         ;# timers of what ends a fault
    variable timer ""
    array set met {}
    # Requests and errors that pass, as brokers answer in trouble.
    variable errors {
        Produce {NOT_LEADER_FOR_PARTITION REQUEST_TIMED_OUT NOT_ENOUGH_REPLICAS NOT_ENOUGH_REPLICAS_AFTER_APPEND
            KAFKA_STORAGE_ERROR UNKNOWN_TOPIC_OR_PART _TRANSPORT}
        Fetch {NOT_LEADER_FOR_PARTITION FENCED_LEADER_EPOCH UNKNOWN_LEADER_EPOCH OFFSET_NOT_AVAILABLE
            KAFKA_STORAGE_ERROR _TRANSPORT}
        Metadata {LEADER_NOT_AVAILABLE REQUEST_TIMED_OUT UNKNOWN _TRANSPORT}
        ListOffsets {LEADER_NOT_AVAILABLE NOT_LEADER_FOR_PARTITION REQUEST_TIMED_OUT}
        FindCoordinator {COORDINATOR_NOT_AVAILABLE COORDINATOR_LOAD_IN_PROGRESS _TRANSPORT}
        JoinGroup {NOT_COORDINATOR COORDINATOR_LOAD_IN_PROGRESS UNKNOWN_MEMBER_ID _TRANSPORT}
        SyncGroup {NOT_COORDINATOR REBALANCE_IN_PROGRESS COORDINATOR_LOAD_IN_PROGRESS _TRANSPORT}
        Heartbeat {NOT_COORDINATOR REBALANCE_IN_PROGRESS ILLEGAL_GENERATION UNKNOWN_MEMBER_ID _TRANSPORT}
        OffsetCommit {NOT_COORDINATOR REBALANCE_IN_PROGRESS COORDINATOR_LOAD_IN_PROGRESS REQUEST_TIMED_OUT}
        OffsetFetch {COORDINATOR_LOAD_IN_PROGRESS UNSTABLE_OFFSET_COMMIT REQUEST_TIMED_OUT _TRANSPORT}
        InitProducerId {COORDINATOR_LOAD_IN_PROGRESS NOT_COORDINATOR CONCURRENT_TRANSACTIONS _TRANSPORT}
        AddPartitionsToTxn {CONCURRENT_TRANSACTIONS COORDINATOR_LOAD_IN_PROGRESS NOT_COORDINATOR _TRANSPORT}
        EndTxn {COORDINATOR_LOAD_IN_PROGRESS NOT_COORDINATOR REQUEST_TIMED_OUT _TRANSPORT}
    }
}

# How often each kind comes, of all.
set faults::weights {
    broker 4 all 3 leader 4 coordinator 2 slow 3 error 8 killMember 2 leave 2 killProducer 2 exitProducer 2
    hangUp 2 silent 1
}

proc faults::pick {list} {lindex $list [random [llength $list]]}

# later ms script
proc faults::later {ms script} {
    variable pending
    lappend pending [after $ms $script]
}

proc faults::cluster {args} {
    catch {childSend $::load::cluster $args}
}

proc faults::start {} {
    variable weights
    variable names
    foreach {name n} $weights {lappend names {*}[lrepeat $n $name]}
    next
}

proc faults::next {} {
    variable timer
    variable names
    variable met
    set timer [after [expr {1000 + [random 5000]}] faults::next]
    set name [pick $names]
    incr met($name)
    $name
}

# count -- how many there were.
proc faults::count {} {
    variable met
    set sum 0
    foreach {name n} [array get met] {incr sum $n}
    return $sum
}

# stop -- no more, and all is well again.
proc faults::stop {} {
    variable timer
    variable pending
    after cancel $timer
    foreach t $pending {after cancel $t}
    cluster clear_errors
    foreach id {1 2 3} {
        cluster rtt $id 0
        cluster broker_up $id
    }
    load::fakeDo set silent 0
    load::fakeDo set lose ""
}

# ---------------------------------------------------------------- the kinds

proc faults::broker {} {
    set id [expr {1 + [random 3]}]
    cluster broker_down $id
    later [expr {100 + [random 4000]}] [list faults::cluster broker_up $id]
}

proc faults::all {} {
    foreach id {1 2 3} {cluster broker_down $id}
    set ms [expr {100 + [random 3000]}]
    foreach id {1 2 3} {later [expr {$ms + [random 500]}] [list faults::cluster broker_up $id]}
}

proc faults::leader {} {
    set topic [pick {plain batches transactional}]
    foreach partition {0 1 2 3} {cluster leader $topic $partition [expr {1 + [random 3]}]}
}

proc faults::coordinator {} {
    cluster coordinator group soak-[pick {callbacks batches}] [expr {1 + [random 3]}]
}

proc faults::slow {} {
    set id [expr {1 + [random 3]}]
    cluster rtt $id [expr {100 + [random 1900]}]
    later [expr {1000 + [random 3000]}] [list faults::cluster rtt $id 0]
}

proc faults::error {} {
    variable errors
    set api [pick [dict keys $errors]]
    for {set i [random 3]} {$i >= 0} {incr i -1} {cluster fail $api [pick [dict get $errors $api]]}
    later 8000 [list faults::cluster clear_errors $api]
}

# one roles -- one of these that runs; empty if it is being ended already.
proc faults::one {roles} {
    set role [pick $roles]
    expr {[dict exists $load::running $role] ? $role : ""}
}

# Of each kind of process one lives on, for its memory to be watched.
proc faults::killMember {} {
    if {[set role [one {member-2 member-3 member-5}]] eq ""} return
    load::ending $role {childKill $h}
    load::startMember $role
}

proc faults::leave {} {
    if {[set role [one {member-2 member-3 member-5}]] eq ""} return
    load::tell $role close
    load::ending $role {childWait $h 60000}
    load::startMember $role
}

proc faults::killProducer {} {
    if {[set role [one {plain-2 idempotent transactional}]] eq ""} return
    load::ending $role {childKill $h}
    load::startProducer $role
}

# exit, wherever it is: what is queued has to be delivered.
proc faults::exitProducer {} {
    if {[set role [one {plain-2 idempotent}]] eq ""} return
    load::tell $role exit
    load::ending $role {childWait $h 60000}
    load::startProducer $role
}

proc faults::hangUp {} {
    load::fakeDo hangUp
}

proc faults::silent {} {
    load::fakeDo set silent 1
    later [expr {500 + [random 2500]}] {
        load::fakeDo set silent 0
        load::fakeDo hangUp
    }
}
