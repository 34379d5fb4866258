# sequence.tcl -- makes the steps of a sequence, and after each quiet moment holds against the model what the
# readers say of themselves.
#
#     model::world::open ""           ;# or the brokers of a real cluster
#     model::run seed kind            ;# empty, or what was wrong, with the steps

source [file join [file dirname [file normalize [info script]]] steps.tcl]
source [file join [file dirname [file normalize [info script]]] member.tcl]
source [file join [file dirname [file normalize [info script]]] direct.tcl]
source [file join [file dirname [file normalize [info script]]] classes.tcl]
source [file join [file dirname [file normalize [info script]]] mates.tcl]

namespace eval ::model {
    # The stated time: within so many milliseconds an assigned partition that is not paused gives its messages, and
    # a group that is left alone has shared out what there is.
    variable within [expr {round(20000 * ([info exists ::env(KAFKA_TEST_SLOW)] ? $::env(KAFKA_TEST_SLOW) : 1))}]
    variable readers        ;# slot -> object
    variable options {}
}

# run seed kind -- empty, or a text of what was wrong.
proc ::model::run {seed kind} {
    lassign [sequence $seed $kind] options steps
    set wrong [play $kind $options $steps]
    if {$wrong eq ""} return
    return "seed $seed, $kind: $wrong\nagain: tclsh tests/model/soak.tcl 1 $seed $kind"
}

# play kind options steps -- make these steps.
proc ::model::play {kind theOptions steps} {
    variable faults {}
    variable lines {}
    variable readers
    variable options $theOptions
    variable reading $kind
    variable group
    variable groupId [world::name g]
    array unset readers
    set began [clock milliseconds]
    interp bgerror {} ::model::background
    world::begin
    set group [Group new]
    variable covered [Covered new $world::log]
    try {
        foreach step $steps {
            lappend lines "$step  ;# [expr {[clock milliseconds] - $began}] ms"
            if {[catch {make {*}$step} result info]} {
                fault $step: [dict get $info -errorinfo]
            } elseif {$result ne ""} {
                note $result
            }
            if {[llength $faults]} break
        }
        if {![llength $faults] && [catch finish result info]} {
            fault at the end: [dict get $info -errorinfo]
        }
    } finally {
        mates::end
        foreach {slot reader} [array get readers] {$reader destroy}
        array unset readers
        $covered destroy
        $group destroy
        # What went wrong before is told, too.
        if {[catch world::end result info]} {
            fault as the world ended: [dict get $info -errorinfo]
        }
    }
    if {![llength $faults]} return
    return "[join $faults {; }]\noptions: $options\n[join $lines \n]"
}

proc ::model::background {message info} {
    if {[dict exists $info -errorcode] && [lindex [dict get $info -errorcode] 0] eq "MODEL"} return
    fault in the background: $message [expr {[dict exists $info -errorinfo] ? [dict get $info -errorinfo] : ""}]
}

# reader slot -- the one there, else the other, else nothing.
proc ::model::reader {slot} {
    variable readers
    foreach slot [list $slot [expr {1 - $slot}]] {
        if {[info exists readers($slot)]} {return $readers($slot)}
    }
    return
}
proc ::model::all {} {
    variable readers
    lmap slot [lsort [array names readers]] {set readers($slot)}
}

# chosen -- the topics that members subscribe to.
proc ::model::chosen {how} {
    if {$how eq "pattern"} {return [list ^[lindex $world::topics 0]]}
    lrange $world::topics 0 $how-1
}

# tp i -- a partition of this sequence.
proc ::model::tp {i} {
    set tps [$world::log tps $world::topics]
    lindex $tps [expr {$i % [llength $tps]}]
}

# can constraint -- whether it holds here: see steps.tcl.
proc ::model::can {constraint} {
    variable reading
    switch $constraint {
        sole              {return $world::sole}
        fault_remade_kept {return [expr {$world::real || $reading ne "cooperative"}]}
    }
}

# make step -- gives what it came to, in words.
proc ::model::make {what args} {
    variable readers
    variable options
    variable constraints
    variable reading
    if {[dict exists $constraints $what]} {
        foreach constraint [dict get $constraints $what] {
            if {![can $constraint]} {return "not here"}
        }
    }
    lassign $args a b c d
    switch $what {
        write     {return [world::write [tp $a] $b]}
        commit    {world::transact [tp $a] $b 1}
        abort     {world::transact [tp $a] $b 0}
        trim      {
            set tp [tp $a]
            world::trim $tp [expr {min($b, 100) * [$world::log end $tp] / 100}]
        }
        grow      {world::grow [lindex $world::topics $a]}
        remake    {Remake [lindex $world::topics $a]}
        down      {world::down $a}
        up        {world::heal}
        serve     {serve $a}
        mate      {
            world::trouble group
            mates::start [lindex [chosen [dict get $options topics]] 0]
        }
        kill      {
            world::trouble group
            mates::kill
        }
        idle      {
            if {![dict get $options idle]} return
            world::trouble idle
            after 2200
        }
        quiet     {quiet $a $b}
        all       {
            foreach reader [Placed] {
                while {[llength [[$reader places] paused]] && [$reader resume 0] ne ""} {}
            }
        }
        join      {Join $a}
        leave     {
            if {![info exists readers($a)]} return
            if {$b eq "unsubscribe" && $reading ni {worker json}} {
                $readers($a) unsubscribe
            } else {
                set reader $readers($a)
                unset readers($a)
                $reader close $b
            }
        }
        subscribe {
            if {[set reader [reader $a]] ne ""} {$reader subscribe [chosen $b]}
        }
        default   {
            if {[set reader [reader $a]] eq ""} return
            switch $what {
                committing   {set what commit}
                start - halt {return [$reader $what {*}$args]}
            }
            return [$reader $what {*}[lrange $args 1 end]]
        }
    }
    return
}

proc ::model::Join {slot} {
    variable readers
    variable reading
    variable options
    variable group
    variable groupId
    variable covered
    # By assign there is one, as nobody shares out the partitions.
    if {$reading in {assign topic queue stream}} {set slot 0}
    set topics [chosen [dict get $options topics]]
    set name $reading-$slot
    if {![info exists readers($slot)]} {
        set readers($slot) [switch $reading {
            topic - queue {Direct new $name $reading $world::log}
            stream        {Streams new $name $world::log}
            worker        {WorkerMember new $name $covered $groupId $options $topics}
            json          {JsonMember new $name $covered $groupId $options $topics}
            class         {ClassMember new $name $reading $world::log $group $groupId $options}
            default       {Member new $name $reading $world::log $group $groupId $options}
        }]
    }
    switch $reading {
        range - cooperative - consumer - class {$readers($slot) subscribe $topics}
        worker - json {world::trouble group}
        assign {
            $readers($slot) subscribe $topics
            $readers($slot) assign all 0 {}
        }
        topic - queue - stream {foreach tp [$world::log tps $topics] {$readers($slot) start 0 0 0}}
    }
}

# Remake topic -- all places may be what they were, or the beginning.
proc ::model::Remake {topic} {
    variable group
    # A place may have been anywhere up to the end.
    foreach tp [$world::log tps [list $topic]] {lappend before $tp [$world::log end $tp]}
    world::remake $topic
    foreach {tp end} $before {
        $group again $tp $end
        foreach reader [Placed] {[$reader places] again $tp $end}
        $::model::covered again $tp
        mates::again $tp $end
    }
}

# ---------------------------------------------------------------- quiet moments

# quiet form how -- nothing more happens to the cluster, and the readers read by that form: all that is theirs and
# not paused has to come; then they are asked.
proc ::model::quiet {form how} {
    variable group
    variable within
    world::heal
    set end [expr {[clock milliseconds] + $within}]
    set wrote 0
    set shared 0
    while 1 {
        set now [clock milliseconds]
        set open [Unshared]
        if {$open eq "" && !$shared} {
            # The group has shared out what there is: from now on it has to come.
            set shared 1
            set end [expr {$now + $within}]
        }
        set behind [Behind]
        if {$open eq "" && $wrote && ![llength $behind] && ([Checked] || [Faulty])} break
        if {$now > $end} {
            fault after $within ms: [expr {$open ne "" ? $open
                : "nothing came of what is assigned and not paused: $behind"}] [Described]
            return
        }
        if {$shared && !$wrote} {
            foreach tp [$world::log tps $world::topics] {Written $tp $how}
            set wrote [clock milliseconds]
            # Who reads has its time from then on, however long the writers took.
            set end [expr {$wrote + $within}]
        } elseif {$wrote && $now - $wrote > 300} {
            # Where a reader stands is known by what it is given next.
            set wrote $now
            foreach {tp -} $behind {
                foreach places [AllPlaces] {
                    if {[$places has $tp] && ![$places exact $tp]} {
                        world::write $tp 1
                        break
                    }
                }
            }
        }
        Turn $form
        if {[Faulty]} return
    }
    mates::hear
    # What several members share out may move once more after all have their share.
    set world::troubles [expr {[llength [all]] + [llength $mates::pipes] > 1 ? "group" : ""}]
}

proc ::model::Faulty {} {
    variable faults
    llength $faults
}

proc ::model::Written {tp how} {
    switch $how {
        write  {world::write $tp 1}
        commit {world::transact $tp 1 1}
        abort  {
            world::write $tp 1
            world::transact $tp 1 0
        }
    }
}

# Turn form -- all readers read a little.
proc ::model::Turn {form} {
    foreach reader [all] {$reader read $form 100 20}
    serve 5
    mates::hear
}

# Unshared -- in words, what of the partitions nobody has, or two; empty when all is well.
proc ::model::Unshared {} {
    variable reading
    if {$reading ni {range cooperative consumer class}} return
    set wanted {}
    array set owned {}
    foreach reader [all] {
        lappend wanted {*}[Topics [$reader topics]]
        foreach tp [[$reader places] tps] {lappend owned($tp) [$reader name]}
    }
    lassign [mates::state] topics places
    lappend wanted {*}$topics
    foreach place $places {
        foreach tp [$place tps] {lappend owned($tp) mate}
    }
    set missing {}
    foreach tp [$world::log tps [lsort -unique $wanted]] {
        if {![info exists owned($tp)]} {
            lappend missing $tp
        } elseif {[llength $owned($tp)] > 1} {
            return "$tp is assigned to $owned($tp)"
        }
        unset -nocomplain owned($tp)
    }
    if {[llength $missing]} {return "assigned to nobody: $missing"}
    if {[array size owned]} {return "assigned, and not subscribed to: [array get owned]"}
    return
}

# Described -- what the cluster says of the group, for a fault's text.
proc ::model::Described {} {
    variable groupId
    variable reading
    if {$reading in {assign topic queue stream}} return
    if {[catch {$world::admin describe_groups $groupId} result]} {return "(the group is not described: $result)"}
    set members [lmap member [dict get $result $groupId members] {
        list [dict get $member client_id] [dict get $member member_id] [dict get $member assignment]
    }]
    return "(the cluster has it [dict get $result $groupId state], with $members)"
}
proc ::model::Topics {list} {
    lmap topic $list {
        expr {[string match ^* $topic] ? [string range $topic 1 end] : $topic}
    }
}

# Checked -- ask the readers where they are; 0 when it was not quiet.
proc ::model::Checked {} {
    foreach reader [all] {
        if {![$reader check]} {return 0}
    }
    return 1
}

# AllPlaces -- of all readers, also of those in other processes.
proc ::model::AllPlaces {} {
    list {*}[lmap reader [Placed] {$reader places}] {*}[lindex [mates::state] 1]
}

# Placed -- the readers of which it is known where they are.
proc ::model::Placed {} {
    variable reading
    if {$reading in {worker json}} return
    all
}

# Covering -- for classes that read and commit by themselves: the topics that a member subscribes to.
proc ::model::Covering {} {
    variable reading
    if {$reading ni {worker json}} return
    set topics {}
    foreach reader [all] {foreach topic [$reader topics] {dict set topics $topic 1}}
    return $topics
}

# Behind -- of each partition that is assigned and not paused, and has not given all: {tp where}.
proc ::model::Behind {} {
    variable covered
    variable groupId
    variable reading
    if {$reading in {worker json}} {
        set topics [dict keys [Covering]]
        set behind [$covered behind $topics]
        if {[llength $behind] || ![llength $topics]} {return $behind}
        # All was handled: then it is committed as well.
        set committed {}
        foreach found [world::Again $world::admin list_group_offsets $groupId] {
            dict set committed [lrange $found 0 1] [lindex $found 2]
        }
        foreach tp [$world::log tps $topics] {
            set at [$covered upTo $tp]
            set found [expr {[dict exists $committed $tp] ? [dict get $committed $tp] : 0}]
            if {$found < $at || $found > [$world::log past $tp $at]} {
                lappend behind $tp "committed $found, and handled up to $at"
            }
        }
        return $behind
    }
    set behind {}
    foreach places [AllPlaces] {
        foreach tp [$places tps] {
            if {[$places isPaused $tp] || [$places caught $tp]} continue
            lappend behind $tp "[$places lo $tp] to [$places hi $tp] of [$world::log end $tp]"
        }
    }
    return $behind
}

# finish -- the readers end in order.
proc ::model::finish {} {
    variable readers
    foreach slot [array names readers] {
        set reader $readers($slot)
        unset readers($slot)
        $reader close close
        serve 0
    }
}
