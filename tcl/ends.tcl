# ends.tcl -- `namespace delete ::kafka` while scripts wait for something, or hold something.
#
# The clients see to themselves. What the scripts of the package hold is seen to here: whoever waits
# in a coroutine gets an error, a callback of a future gets its answer, and what a BatchProducer holds
# is handed over. What waits must not itself stand in a procedure of the namespace: Tcl would keep the
# namespace, out of everybody's reach, until the wait is over.

namespace eval ::kafka::easy {
    # What an answer is given to that may come when there is no ::kafka any more:
    # `::apply $told procedure ?arg ...?`. Then nobody waits for it.
    variable told {{procedure args} {
        if {[::tcl::namespace::which -command $procedure] ne ""} {
            ::tailcall $procedure {*}$args
        }
    }}
    # Resume a coroutine that may have gone.
    variable resume {coroutine {
        if {[::tcl::namespace::which -command $coroutine] ne ""} {$coroutine}
    }}
    # What a wait ends with.
    variable goneText "kafka error: not allowed in the present state\
        (namespace ::kafka was deleted meanwhile)"
    variable goneCode [list KAFKA STATE {not allowed in the present state} \
        {namespace ::kafka was deleted meanwhile} {}]
    # Tcl deletes a namespace's variables first: all else is there as long as their traces run.
    # In ::kafka itself, as child namespaces go last.
    if {![info exists ::kafka::present]} {
        set ::kafka::present 1
        trace add variable ::kafka::present unset ::kafka::easy::Leave
    }
}

# Leave args -- a trace: the namespace is being deleted.
proc ::kafka::easy::Leave {args} {
    variable awaiting
    variable resume
    set waiting [lmap {- row} [array get awaiting] {lindex $row 0}]
    if {[namespace exists ::kafka::future]} {lappend waiting {*}[::kafka::future::Leaving]}
    if {[namespace exists ::kafka::common] && [info object isa class ::kafka::common::Named]} {
        # First those that use others.
        set objects {}
        if {[info object isa class ::kafka::BatchProducer]} {
            lappend objects {*}[Instances ::kafka::BatchProducer]
        }
        lappend objects {*}[Instances ::kafka::common::Named]
        foreach object $objects {
            if {![info object isa object $object]} continue
            if {[catch {$object destroy} message options]} {
                ::kafka::common::Background $message $options
            }
        }
    }
    # What the package itself would have done later.
    foreach id [after info] {
        if {[string match ::kafka::* [lindex [after info $id] 0 0]]} {after cancel $id}
    }
    foreach coroutine $waiting {after 0 [list ::apply $resume $coroutine]}
    return
}

# Instances class -- its objects, and those of the classes made of it.
proc ::kafka::easy::Instances {class} {
    set objects [info class instances $class]
    foreach derived [info class subclasses $class] {lappend objects {*}[Instances $derived]}
    return $objects
}
