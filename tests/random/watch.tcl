# watch.tcl -- runs child.tcl and sees to it: a crash, a hang or a fault comes back as text, with
# the seed and the last steps.

namespace eval ::random::watch {
    variable here [file dirname [file normalize [info script]]]
    variable kept 12        ;# steps that are shown
    variable lines
    variable seen           ;# thread -> when it was heard of
    variable state
}

# run seed steps threads ?deadline? -- empty when all was well, else what was not. A step that is
# not over after deadline seconds (60) is a hang.
proc ::random::watch::run {seed steps threads {deadline 60}} {
    variable here
    variable lines {}
    variable seen
    variable state running
    array unset seen
    close [file tempfile errors]
    set pipe [open |[list [info nameofexecutable] [file join $here child.tcl] \
        $seed $steps $threads 2>$errors </dev/null] r]
    fconfigure $pipe -blocking 0 -translation lf
    set seen(main) [clock milliseconds]
    fileevent $pipe readable [list ::random::watch::Read $pipe]
    while {$state eq "running"} {
        set timer [after 1000 [list ::random::watch::Look [expr {$deadline * 1000}]]]
        vwait ::random::watch::state
        after cancel $timer
    }
    fileevent $pipe readable {}
    if {$state eq "hang"} {exec sh -c {kill -s KILL "$@"} sh {*}[pid $pipe]}
    fconfigure $pipe -blocking 1
    set ended [catch {close $pipe} message options]
    set said [Slurp $errors]
    file delete $errors
    set faults [lsearch -all -inline $lines *@@fault*]
    if {!$ended && $state eq "end" && ![llength $faults] && [lsearch $lines @@end] >= 0} {return ""}
    set why [expr {[llength $faults] ? "a fault: [join $faults "; "]"
        : $state eq "hang" ? "a step was not over after $deadline s"
        : $ended ? "the process ended: $message, [dict get $options -errorcode]"
        : "the process ended early"}]
    return "seed $seed, $steps steps, $threads threads: $why\nlast steps:\n[join [Last] \n]\n$said\
        \nagain: tclsh tests/random/child.tcl $seed $steps $threads"
}

proc ::random::watch::Slurp {file} {
    set channel [open $file]
    set text [string trim [::read $channel]]
    close $channel
    return [string range $text end-3000 end]
}

proc ::random::watch::Read {pipe} {
    variable lines
    variable seen
    variable state
    while {[gets $pipe line] >= 0} {
        lappend lines $line
        set seen([lindex [split $line] 0]) [clock milliseconds]
        if {[string match "*@@done*" $line]} {
            # This thread is through; the others go on.
            unset -nocomplain seen([lindex [split $line] 0])
            set seen(main) [clock milliseconds]
        }
    }
    if {[llength $lines] > 2000} {set lines [lrange $lines end-999 end]}
    if {[eof $pipe]} {set state end}
}

# Look most -- whether all threads have been heard of.
proc ::random::watch::Look {most} {
    variable seen
    variable state
    set now [clock milliseconds]
    # The main one says nothing while its threads work.
    set names [lsearch -all -inline -exact -not [array names seen] main]
    if {![llength $names]} {set names main}
    foreach name $names {
        if {$now - $seen($name) > $most} {
            set state hang
            return
        }
    }
    # Look again.
    set state $state
}

# Last -- the last steps, of each thread with threads.
proc ::random::watch::Last {} {
    variable lines
    variable kept
    set left [dict create]
    set out {}
    foreach line [lreverse $lines] {
        dict incr left [lindex [split $line] 0]
        if {[dict get $left [lindex [split $line] 0]] <= $kept} {lappend out $line}
    }
    return [lreverse $out]
}
