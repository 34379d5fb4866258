# mates.tcl -- members of the same group in processes of their own, which can be killed. They say what they are
# assigned and given, and the model holds it against the log as it does with those of this process.

namespace eval ::model::mates {
    variable here [file dirname [file normalize [info script]]]
    variable pipes {}       ;# of those that live
    variable of             ;# pipe,places and pipe,topic
}

# start topic -- one more; two at most.
proc ::model::mates::start {topic} {
    variable here
    variable pipes
    variable of
    if {[llength $pipes] >= 2 || $::model::reading ni {range cooperative consumer class worker}} return
    set protocol [dict get {
        range range  class range  worker range   cooperative cooperative-sticky  consumer consumer
    } $::model::reading]
    set pipe [open |[list [info nameofexecutable] [file join $here mate.tcl] $::auto_path \
        [::model::world::conf] $::model::groupId $protocol [dict get $::model::options auto] $topic 2>@stderr] r+]
    fconfigure $pipe -blocking 0 -buffering line
    lappend pipes $pipe
    set of($pipe,places) [::model::Places new $::model::world::log mate-[pid $pipe]]
    set of($pipe,topic) $topic
    fileevent $pipe readable ::model::mates::hear
}

# hear -- take what they have said.
proc ::model::mates::hear {} {
    variable pipes
    foreach pipe $pipes {
        while {[gets $pipe line] >= 0} {Said $pipe $line}
        if {[eof $pipe]} {
            ::model::fault a member in a process of its own has ended
            Gone $pipe
        }
    }
}

proc ::model::mates::Said {pipe line} {
    variable of
    set places $of($pipe,places)
    set group $::model::group
    set words [lassign $line what]
    switch $what {
        assign {
            ::model::note mate-[pid $pipe] $line
            # What is known of the group is as of now, and it joined a little earlier.
            foreach tp $words {$places begin $tp 0 [lindex [$group interval $tp] 1]}
        }
        revoke - lost {
            ::model::note mate-[pid $pipe] $line
            foreach tp $words {if {[$places has $tp]} {$places end $tp}}
        }
        got {
            foreach {topic partition offset text} $words {
                set tp [list $topic $partition]
                if {$::model::reading eq "worker"} {
                    $::model::covered gave mate-[pid $pipe] $tp $offset $text
                    continue
                }
                $places gave $tp $offset $text
                $group upTo $tp [expr {$offset + 1}]
            }
        }
        error {
            ::model::note mate-[pid $pipe] $line
            if {![::model::excused [list -errorcode [lindex $words 0]]]} {
                ::model::fault mate-[pid $pipe] reads $line
            }
        }
        default {::model::fault mate-[pid $pipe] says $line}
    }
}

# kill -- the oldest one, by kill -9.
proc ::model::mates::kill {} {
    variable pipes
    if {![llength $pipes]} return
    set pipe [lindex $pipes 0]
    exec sh -c {kill -s KILL "$@"} sh {*}[pid $pipe]
    fconfigure $pipe -blocking 1
    while {[gets $pipe line] >= 0} {Said $pipe $line}
    Gone $pipe
}

proc ::model::mates::Gone {pipe} {
    variable pipes
    variable of
    fileevent $pipe readable {}
    catch {close $pipe}
    set pipes [lsearch -all -inline -exact -not $pipes $pipe]
    $of($pipe,places) destroy
    array unset of $pipe,*
}

proc ::model::mates::end {} {
    variable pipes
    foreach pipe $pipes {
        catch {exec sh -c {kill -s KILL "$@"} sh {*}[pid $pipe]}
        Gone $pipe
    }
}

# state -- the topics that they subscribe to, and where they are.
proc ::model::mates::state {} {
    variable pipes
    variable of
    list [lmap pipe $pipes {set of($pipe,topic)}] [lmap pipe $pipes {set of($pipe,places)}]
}

proc ::model::mates::again {tp end} {
    variable pipes
    variable of
    foreach pipe $pipes {$of($pipe,places) again $tp $end}
}
