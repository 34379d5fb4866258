# future.tcl -- kafka::Future: a result that is not there yet.
#
# What is known of a future stands in arrays by number, not in the object: `then` and the end of a
# program may take the object away while its result still has to go somewhere. Whatever makes a
# future calls New, keeps the number, and calls Resolve with it, once.

package require Tcl 8.6-
package require kafka::common

namespace eval ::kafka::future {
    # None is one of a package that was deleted before.
    ::kafka::easy::State last [clock microseconds]
    # By number. `serve` exists as long as the future does: the command prefix that, with a number of
    # milliseconds appended, serves what will resolve it (empty: the event loop).
    variable serve;    array set serve {}
    variable object;   array set object {}
    variable answer;   array set answer {}    ;# {ok value} or {failed message options}
    variable kept;     array set kept {}
    variable waiter;   array set waiter {}    ;# the coroutine that waits in `value`
    variable expired;  array set expired {}   ;# its time is over
    variable asked;    array set asked {}     ;# `value` waits outside a coroutine
    variable chain;    array set chain {}     ;# {prefix number of what `then` gave}
    variable upstream; array set upstream {}  ;# the other way round
    # Resolved ones that nobody has looked at, for the next turn of the loop.
    ::kafka::easy::State settled {}
}

# New serve -- a number for a future.
proc ::kafka::future::New {prefix} {
    variable last
    variable serve
    set serve([incr last]) $prefix
    return $last
}

# Object number -- its object.
proc ::kafka::future::Object {id} {
    variable object
    set object($id) [::kafka::Future new $id]
}

# Forget number -- all that is known of it.
proc ::kafka::future::Forget {id} {
    foreach table {serve object answer kept waiter expired asked chain upstream} {
        variable $table
        unset -nocomplain ${table}($id)
    }
    return
}

# Open prefix -- the numbers of unresolved futures that this prefix serves.
proc ::kafka::future::Open {prefix} {
    variable serve
    variable answer
    lmap {id served} [array get serve] {
        if {$served ne $prefix || [info exists answer($id)]} continue
        set id
    }
}

# Resolve number {ok value}|{failed message options} -- the result is there.
proc ::kafka::future::Resolve {id result} {
    variable serve
    variable answer
    variable waiter
    variable asked
    variable chain
    variable object
    variable settled
    if {![info exists serve($id)] || [info exists answer($id)]} return
    set answer($id) $result
    if {[info exists chain($id)]} {
        Run $id
    } elseif {[info exists waiter($id)]} {
        # Its error is the caller's: a callback's, so the background error handler gets it.
        {*}$waiter($id)
    } elseif {[info exists asked($id)]} {
        # It looks for itself.
        return
    } elseif {![info exists object($id)]} {
        # Destroyed by the script, which thereby said that it doesn't care.
        Forget $id
    } else {
        # One timer for all that come in one turn, not one for each.
        if {![llength $settled]} {after 0 ::kafka::future::Sweep}
        lappend settled $id
    }
    return
}

# Sweep -- free the successes that nobody looked at, and hand failures to the background error
# handler. A future that somebody waits for, chains or keeps is left alone.
proc ::kafka::future::Sweep {} {
    variable settled
    variable object
    variable answer
    variable kept
    variable waiter
    variable chain
    set list $settled
    set settled {}
    foreach id $list {
        if {![info exists object($id)] || [info exists kept($id)]
                || [info exists waiter($id)] || [info exists chain($id)]} continue
        set result $answer($id)
        $object($id) destroy
        if {[lindex $result 0] eq "failed"} {
            ::kafka::common::Background {*}[lrange $result 1 end]
        }
    }
    return
}

# Run number -- call what `then` has given and resolve the future that it made.
proc ::kafka::future::Run {id} {
    variable chain
    variable answer
    if {![info exists chain($id)]} return
    lassign $chain($id) prefix next
    set argument [Argument $answer($id)]
    Forget $id
    if {[catch {uplevel #0 [list {*}$prefix $argument]} result options]} {
        # A callback's `break` or `return` is no result.
        if {[dict get $options -code] != 1} {
            dict set options -errorcode NONE
        }
        Resolve $next [list failed $result $options]
    } else {
        Resolve $next [list ok $result]
    }
    return
}

# Push number -- run what stands before it and could run.
proc ::kafka::future::Push {id} {
    variable upstream
    variable answer
    if {![info exists upstream($id)]} return
    set before $upstream($id)
    Push $before
    if {[info exists answer($before)]} {Run $before}
    return
}

# Argument answer -- an answer as callbacks get it.
proc ::kafka::future::Argument {result} {
    lassign $result kind value options
    if {$kind eq "ok"} {
        return [dict create result $value]
    }
    set errorcode NONE
    if {[dict exists $options -errorcode]} {set errorcode [dict get $options -errorcode]}
    set info [dict merge {code {} text {} detail {}} [::kafka::error_info $errorcode]]
    set text [dict get $info text]
    if {$text eq ""} {set text $value}
    return [dict create error $text code [dict get $info code] \
        message [dict get $info detail] errorcode $errorcode]
}

# Expire number -- the time of its waiting coroutine is over.
proc ::kafka::future::Expire {id} {
    variable waiter
    variable expired
    set expired($id) 1
    if {[info exists waiter($id)]} {{*}$waiter($id)}
    return
}

# Hurry number -- what a producer has queued is not to wait for linger.ms while this is waited for; gives whose it is.
proc ::kafka::future::Hurry {id} {
    variable serve
    set producer [lindex $serve($id) 0]
    ::kafka::internal hurry $producer 1
    return $producer
}

# Leave number producer args -- a trace: the coroutine that waited has ended its wait, or was deleted in it.
# A result that has come meanwhile is then nobody's.
proc ::kafka::future::Leave {id producer args} {
    variable waiter
    variable expired
    variable asked
    variable answer
    variable settled
    unset -nocomplain waiter($id)
    unset -nocomplain expired($id)
    unset -nocomplain asked($id)
    if {[namespace which -command ::kafka::internal] ne ""} {::kafka::internal hurry $producer 0}
    if {[info exists answer($id)]} {
        if {![llength $settled]} {after 0 ::kafka::future::Sweep}
        lappend settled $id
    }
    return
}

# Leaving -- the package is being deleted: results that had come go to who is there for them, callbacks are
# called with theirs, or with an error. Gives the coroutines that wait.
proc ::kafka::future::Leaving {} {
    variable answer
    variable chain
    variable waiter
    Sweep
    foreach id [array names chain] {
        if {[info exists answer($id)]} {
            set result $answer($id)
        } else {
            set result [list failed $::kafka::easy::goneText \
                [dict create -errorcode $::kafka::easy::goneCode]]
        }
        after 0 [list {*}[lindex $chain($id) 0] [Argument $result]]
    }
    lmap {- row} [array get waiter] {lindex $row 0}
}

::kafka::common::Class ::kafka::Future {
    variable Id

    constructor {number} {
        set Id $number
        if {![info exists ::kafka::future::serve($number)]} {
            return -code error -errorcode {TCL VALUE} \
                "futures are made by the calls that return them"
        }
    }

    destructor {
        if {![info exists Id] || $Id eq ""} return
        unset -nocomplain ::kafka::future::object($Id)
        # Unresolved, it is forgotten when its result comes.
        if {[info exists ::kafka::future::answer($Id)] && ![info exists ::kafka::future::asked($Id)]} {
            ::kafka::future::Forget $Id
        }
    }

    # done -- whether the result is there.
    method done {} {
        ::kafka::future::Push $Id
        info exists ::kafka::future::answer($Id)
    }

    # keep -- not to be freed before `value` or `destroy`; gives the future.
    method keep {} {
        set ::kafka::future::kept($Id) 1
        self
    }

    # then prefix -- call with the result as `result VALUE`, or the error as `error TEXT code CODE
    # message DETAIL errorcode LIST`; gives a future of what the callback returns or throws.
    method then {prefix} {
        ::kafka::common::Check prefix command $prefix
        my Alone
        set id $Id
        set next [::kafka::future::New $::kafka::future::serve($id)]
        set future [::kafka::future::Object $next]
        set ::kafka::future::chain($id) [list $prefix $next]
        set ::kafka::future::upstream($next) $id
        # The number lives on, until the result is handed over.
        unset -nocomplain ::kafka::future::object($id)
        set Id ""
        if {[info exists ::kafka::future::answer($id)]} {
            after 0 [list ::kafka::future::Run $id]
        }
        my destroy
        return $future
    }

    # value ?timeout? -- wait for the result and return it, or throw the error. In a coroutine others
    # run meanwhile; elsewhere only what resolves this future is served.
    method value {{timeout -1}} {
        ::kafka::common::Check timeout ms $timeout
        my Alone
        ::kafka::future::Push $Id
        set id $Id
        set gone [list $::kafka::easy::goneCode $::kafka::easy::goneText]
        if {![info exists ::kafka::future::answer($id)]} {
            if {[info coroutine] ne ""} {
                my Yield $timeout
            } else {
                set ::kafka::future::asked($id) 1
                # Also where what is served throws, an interpreter's limit say.
                set guard 1
                set producer [::kafka::future::Hurry $id]
                trace add variable guard unset [list ::kafka::future::Leave $id $producer]
                my Serve $timeout
                trace remove variable guard unset [list ::kafka::future::Leave $id $producer]
                unset -nocomplain ::kafka::future::asked($id)
                ::kafka::internal hurry $producer 0
            }
        }
        if {![info exists ::kafka::future::serve($id)]} {
            return -code error -errorcode [lindex $gone 0] [lindex $gone 1]
        }
        if {![info exists ::kafka::future::answer($id)]} {
            return -code error -errorcode [list KAFKA RDKAFKA RD_KAFKA_RESP_ERR__TIMED_OUT \
                "Local: Timed out" "no result within $timeout ms" retriable] \
                "kafka error: Local: Timed out (no result within $timeout ms)"
        }
        lassign $::kafka::future::answer($id) kind value options
        # Who destroyed it meanwhile doesn't care, but this one waits.
        if {[namespace which my] ne ""} {my destroy}
        ::kafka::future::Forget $id
        if {$kind eq "ok"} {
            return $value
        }
        return -options [dict merge $options {-code 1 -level 1}] $value
    }

    # Alone -- throw while another call waits: a result is used up once.
    method Alone {} {
        if {[info exists ::kafka::future::waiter($Id)]} {
            set detail "a coroutine waits for this future"
        } elseif {[info exists ::kafka::future::asked($Id)]} {
            set detail "another call waits for this future"
        } else {
            return
        }
        return -code error -level 2 -errorcode [list KAFKA STATE "not allowed in the present state" $detail {}] \
            "kafka error: not allowed in the present state ($detail)"
    }

    method Yield {timeout} {
        set id $Id
        set ::kafka::future::waiter($id) [list [info coroutine]]
        # Unset with this frame, also when the coroutine is deleted while it waits.
        set guard 1
        trace add variable guard unset [list ::kafka::future::Leave $id [::kafka::future::Hurry $id]]
        set timer ""
        if {$timeout >= 0} {set timer [after $timeout [list ::kafka::future::Expire $id]]}
        # Whoever resumes the coroutine for other reasons has it wait on.
        while {[info exists ::kafka::future::serve($id)] && ![info exists ::kafka::future::answer($id)]
                && ![info exists ::kafka::future::expired($id)]} {
            yield
        }
        after cancel $timer
        return
    }

    method Serve {timeout} {
        set deadline [::kafka::common::Deadline $timeout]
        set id $Id
        while {[info exists ::kafka::future::serve($id)] && ![info exists ::kafka::future::answer($id)]} {
            set left [::kafka::common::Left $deadline]
            if {$left == 0} return
            set prefix $::kafka::future::serve($id)
            # In slices: the client may go while it is served.
            if {$left < 0 || $left > 1000} {set left 1000}
            if {$prefix ne "" && ![::kafka::common::Gone [lindex $prefix 0]]} {
                {*}$prefix $left
            } else {
                set timer [after [expr {min($left, 20)}] {incr ::kafka::future::tick}]
                vwait ::kafka::future::tick
                after cancel $timer
            }
            if {![info exists ::kafka::future::serve($id)]} return
            ::kafka::future::Push $id
        }
    }
}
