# watch.tcl -- runs sequences in processes of their own, several at once, and sees to them: a fault, a crash or a hang
# comes back as text, with the seed.

namespace eval ::model::watch {
    variable here [file dirname [file normalize [info script]]]
    variable runs           ;# pipe,field -> value
    variable change 0
    variable longest 180    ;# seconds that one sequence may take
}

# run brokers jobs part ... -- each part is a list of kind, first seed and number of sequences. Gives a list of what was
# wrong, in words, and how many sequences were well. An empty `brokers`: embedded clusters.
proc ::model::watch::run {brokers jobs args} {
    variable runs
    variable change
    variable longest
    array unset runs
    set wrong {}
    set well 0
    set running {}
    while {[llength $args] || [llength $running]} {
        while {[llength $args] && [llength $running] < $jobs} {
            set args [lassign $args part]
            lappend running [Start $brokers {*}$part]
        }
        set timer [after 1000 {incr ::model::watch::change}]
        vwait ::model::watch::change
        after cancel $timer
        foreach pipe $running {
            if {!$runs($pipe,eof)} {
                if {[clock seconds] - $runs($pipe,heard) <= $longest} continue
                # Its stack would tell more; its seed is enough to see it again.
                exec sh -c {kill -s KILL "$@"} sh {*}[pid $pipe]
                set runs($pipe,hang) 1
            }
            set running [lsearch -all -inline -exact -not $running $pipe]
            lassign [End $pipe] text count
            incr well $count
            if {$text ne ""} {lappend wrong $text}
        }
    }
    return [list $wrong $well]
}

proc ::model::watch::Start {brokers kind seed count} {
    variable here
    variable runs
    close [file tempfile errors]
    set pipe [open |[list [info nameofexecutable] [file join $here child.tcl] $kind $seed $count $brokers \
        2>$errors </dev/null] r]
    fconfigure $pipe -blocking 0
    foreach {field value} [list text {} part [list $kind $seed $count] errors $errors eof 0 hang 0 \
            heard [clock seconds]] {
        set runs($pipe,$field) $value
    }
    fileevent $pipe readable [list ::model::watch::Read $pipe]
    return $pipe
}

proc ::model::watch::Read {pipe} {
    variable runs
    variable change
    while {[gets $pipe line] >= 0} {
        lappend runs($pipe,text) $line
        set runs($pipe,heard) [clock seconds]
    }
    if {[eof $pipe]} {
        fileevent $pipe readable {}
        set runs($pipe,eof) 1
        incr change
    }
}

# End pipe -- what was wrong, and how many sequences were well.
proc ::model::watch::End {pipe} {
    variable runs
    variable longest
    fileevent $pipe readable {}
    fconfigure $pipe -blocking 1
    set ended [catch {close $pipe} message options]
    set channel [open $runs($pipe,errors)]
    set errors [string range [string trim [read $channel]] end-3000 end]
    close $channel
    file delete $runs($pipe,errors)
    set lines $runs($pipe,text)
    set well [llength [lsearch -all $lines @@well*]]
    set at [lsearch $lines @@fault]
    set text ""
    if {$at >= 0} {
        set text [join [lrange $lines $at+1 end] \n]
    } elseif {$runs($pipe,hang) || $ended || "@@end" ni $lines} {
        lassign $runs($pipe,part) kind first
        set seed [lindex [lindex [lsearch -all -inline $lines @@seed*] end] 1]
        if {$seed eq ""} {set seed $first}
        set text "seed $seed, $kind: [expr {$runs($pipe,hang) ? "not over after $longest s"
            : "the process ended: $message"}]\n$errors\nagain: tclsh tests/model/soak.tcl 1 $seed $kind"
    }
    array unset runs $pipe,*
    list $text $well
}

# parts seed count kinds -- so many sequences, shared out among the kinds, ten for a process: some kinds take longer.
proc ::model::watch::parts {seed count kinds} {
    set parts {}
    set left $count
    set n [llength $kinds]
    foreach kind $kinds {
        set share [expr {($left + $n - 1) / $n}]
        for {set i 0} {$i < $share} {incr i 10} {
            lappend parts [list $i $kind [expr {$seed + $i}] [expr {min(10, $share - $i)}]]
        }
        incr left [expr {-$share}]
        incr n -1
    }
    # Of each kind the first, then of each the second.
    lmap part [lsort -integer -index 0 $parts] {lrange $part 1 end}
}
