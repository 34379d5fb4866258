# steps.tcl -- random sequences of steps, from a seed: what is drawn depends on the seed and the kind of reader
# alone, never on what a step did. A step is a list, and stands in a line of its own in what a failure prints.

source [file join [file dirname [file dirname [file normalize [info script]]]] random words.tcl]

namespace eval ::model {
    variable kinds {range cooperative consumer assign class topic queue worker json stream}

    # How often each step is drawn, by kind of reader. What many of them share:
    variable written {write 16 commit 4 abort 3 trim 4 down 2 up 3 serve 3}
    variable steered {read 26 pause 9 resume 8 seek 10 callbacks 3}
    variable grouped {join 7 leave 6 mate 3 kill 3 subscribe 4 grow 2 remake 2 idle 1}
    variable weights [dict create \
        range       [list {*}$written {*}$steered {*}$grouped committing 12] \
        cooperative [list {*}$written {*}$steered {*}$grouped committing 12] \
        consumer    [list {*}$written {*}$steered {*}$grouped committing 12] \
        class       [list {*}$written {*}$steered {*}$grouped committing 12] \
        assign      [list {*}$written {*}$steered committing 12 assign 16 remake 1] \
        topic       [list {*}$written {*}$steered start 14 halt 6 remake 1] \
        queue       [list {*}$written {*}$steered start 14 halt 6 remake 1] \
        worker      [list {*}$written serve 20 fail 6 leave 4 join 4 mate 3 kill 3 grow 1] \
        json        [list {*}$written serve 20 fail 6 leave 4 join 4 grow 1] \
        stream      [list {*}$written serve 20 start 8 halt 4]]
    # What a step needs that not every cluster has, or shows a fault that is not mended yet:
    #     sole               brokers go away, so nobody else may use them
    #     fault_remade_kept  a cooperative member that kept its partitions of a topic that was deleted and made again on the
    #                        embedded cluster was given a message that it had read, once in 840 sequences
    variable constraints {down sole  up sole  remake fault_remade_kept}
}

proc ::model::draw {n} {::random::draw $n}
proc ::model::pick {list} {::random::pick $list}

# sequence seed kind -- its options, then its steps.
proc ::model::sequence {seed kind} {
    variable kinds
    variable weights
    random::seed [expr {$seed * 16 + [lsearch $kinds $kind]}]
    set options [list auto [draw 2] idle [expr {[draw 10] == 0}] topics [pick {1 1 2 2 2}]]
    set steps [list [step write] [step join]]
    for {set round 0} {$round < 3} {incr round} {
        for {set i [expr {3 + [draw 6]}]} {$i > 0} {incr i -1} {
            set what [random::weighted [dict get $weights $kind]]
            lappend steps [step $what]
        }
        lappend steps [step quiet]
    }
    # In the end nothing is paused, so that each pause has had its end.
    lappend steps all [step quiet]
    return [list $options $steps]
}

# step what -- with its words.
proc ::model::step {what} {
    switch $what {
        write - commit - abort {return [list $what [draw 8] [expr {1 + [draw 6]}]]}
        trim      {return [list $what [draw 8] [draw 110]]}
        down      {return [list $what [expr {1 + [draw 3]}]]}
        serve     {return [list $what [pick {0 10 50 150}]]}
        read      {return [list $what [draw 2] [pick {
            consume consume list list fields batch break event event stop}] [expr {1 + [draw 20]}] [pick {0 20 100}]]}
        pause - resume {return [list $what [draw 2] [draw 8]]}
        seek      {return [list $what [draw 2] [draw 8] [where]]}
        committing {return [list $what [draw 2] [pick {bare bare async command place store}] [draw 8]]}
        callbacks {return [list $what [draw 2] [pick {error statistics commit throttle}] [draw 2]]}
        assign    {return [list $what 0 [pick {anew all all none more more less less}] [draw 8] [pick [list {} [where]]]]}
        start     {return [list $what [draw 8] [where] [draw 2]]}
        halt {return [list $what [draw 8]]}
        fail      {return [list $what [draw 2] [draw 8]]}
        join      {return [list $what [draw 2]]}
        leave     {return [list $what [draw 2] [pick {close close delete unsubscribe}]]}
        subscribe {return [list $what [draw 2] [pick {1 2 2 pattern}]]}
        grow - remake {return [list $what [draw 2]]}
        quiet     {return [list $what [pick {list fields batch consume event}] [pick {write write commit abort}]]}
        default   {return [list $what]}
    }
}
proc ::model::where {} {
    expr {[draw 3] ? [draw 101] : [pick {beginning end stored}]}
}
