# await.tcl -- kafka::await: a coroutine waits for a call that takes -command.

namespace eval ::kafka::easy {
    # The last id, and id -> coroutine and, once it is there, answer. No id is one of a package that
    # was deleted before.
    State awaits [clock microseconds]
    variable awaiting
    array set awaiting {}
    # The wait, by its id. It stands outside of the namespace, which may be deleted meanwhile. The
    # variable goes with this frame, also when the coroutine is deleted: then nobody waits any more,
    # and an answer that still comes is dropped.
    variable waits [list id [string map [list @CODE@ [list $goneCode] @TEXT@ [list $goneText]] {
        set guard $id
        trace add variable guard unset [::list ::kafka::easy::Forget $id]
        while 1 {
            if {![::tcl::info::exists ::kafka::easy::awaiting($id)]} {
                return -code error -errorcode @CODE@ @TEXT@
            }
            if {[llength $::kafka::easy::awaiting($id)] > 1} break
            yield
        }
        tailcall ::kafka::easy::Outcome [lindex $::kafka::easy::awaiting($id) 1]
    }]]
}

# await command ?arg ...? -- inside a coroutine: call a command that takes -command
# and yield until its outcome is there; return it, or throw what the call itself
# would have thrown. Other things may resume the coroutine meanwhile: it waits on.
#
# For `produce` and `send` the outcome is the delivery report. Outside a coroutine
# nobody could yield; there the command itself waits.
proc ::kafka::await {command args} {
    set coroutine [info coroutine]
    if {$coroutine eq ""} {
        easy::Refuse STATE "not allowed in the present state" \
            "kafka::await outside a coroutine: call the command itself, it waits"
    }
    set object [uplevel 1 [list ::tcl::namespace::origin $command]]
    set id [incr easy::awaits]
    # A report that comes in a call of its own is no answer; what -wait gives is.
    if {[lindex $args 0] in {send send_batch} && [llength $args] > 2 && "-wait" ni $args} {
        lappend args -wait -1
    }
    set call [::kafka::internal with_command [list ::apply $easy::told ::kafka::easy::Answer $id] \
        $object $command {*}$args]
    set easy::awaiting($id) [list $coroutine]
    # While the call itself lasts, as in the wait.
    set guard $id
    trace add variable guard unset [list ::kafka::easy::Forget $id]
    uplevel 1 $call
    trace remove variable guard unset [list ::kafka::easy::Forget $id]
    tailcall ::apply $easy::waits $id
}

# Answer id answer -- the outcome of a call that a coroutine awaits.
proc ::kafka::easy::Answer {id answer} {
    variable awaiting
    if {![info exists awaiting($id)] || [llength $awaiting($id)] > 1} {return}
    set coroutine [lindex $awaiting($id) 0]
    lappend awaiting($id) $answer
    # Its error is this callback's: the background error handler gets it.
    $coroutine
    return
}

# Forget id args -- a trace: nobody awaits this call any more.
proc ::kafka::easy::Forget {id args} {
    variable awaiting
    unset -nocomplain awaiting($id)
}

# Outcome answer -- what a prefix of -command was given, as the result or the error
# of the call that waits.
proc ::kafka::easy::Outcome {answer} {
    if {[llength $answer] == 2 && [lindex $answer 0] eq "result"} {
        return [lindex $answer 1]
    }
    # A delivery report; that of a failed delivery has an error.
    if {![dict exists $answer error]} {
        return $answer
    }
    set text [dict get $answer error]
    if {[dict exists $answer errorcode]} {
        set errorcode [dict get $answer errorcode]
    } else {
        set errorcode [list KAFKA [dict get $answer code] $text [dict get $answer message] {}]
    }
    # Where the errorCode tells the text, the message is made of text and detail.
    if {[lindex $errorcode 2] eq $text} {
        Refuse {*}[lrange $errorcode 1 end]
    }
    return -code error -errorcode $errorcode $text
}
