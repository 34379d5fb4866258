# cli_consume.tcl -- part of kafka::cli: kafkat consume.

namespace eval ::kafka::cli {
    # What a run of consume knows.
    variable c
    array set c {}
}

proc ::kafka::cli::Do.consume {options words} {
    variable c
    array unset c
    array set c {count 0 done {} last {} stop "" start "" begun {}}
    set c(most) [Number $options -c 1 0]
    set c(format) [Formatter $options]
    set c(unbuffered) [dict exists $options -u]
    set c(exit) [dict exists $options -e]
    Offsets [Opt $options -o]
    set group [dict exists $options -G]
    if {$group} {
        if {[dict exists $options -p]} {Usage "-p and -G exclude each other: a group deals out the partitions"}
        if {$c(stop) ne "" || [string match @* $c(start)]} {Usage "a group has no times in -o"}
        if {[dict exists $options -t]} {set words [linsert $words 0 [dict get $options -t]]}
        if {![llength $words]} {Usage "no topics: give them after -G GROUP"}
    } else {
        if {[llength $words] + [dict exists $options -t] != 1} {
            Usage "one topic: give -t TOPIC (or several, with -G GROUP)"
        }
        set topic [Opt $options -t [lindex $words 0]]
        set partitions [Partitions $options]
    }
    Interruptible
    set master [Master $options enable.partition.eof true]
    # As kcat: who has read nothing yet begins at the end, unless told otherwise.
    if {![Given $master auto.offset.reset]} {$master config auto.offset.reset latest}
    try {
        if {$group} {
            $master config group.id [dict get $options -G]
            set reader [ReadGroup $master $options $words]
        } else {
            set reader [ReadTopic $master $options $topic $partitions]
        }
        ReadAll $reader $group $options
    } finally {
        Clear
    }
    # Only what was written out counts as read.
    Flush
    if {$group} {
        $reader close [Wait $options 10]
    } else {
        ::kafka::cli::consumer close [Wait $options 10]
    }
    Note "[Grouped $c(count)] messages"
    CheckFatal
}

# Offsets words -- what -o says: where to begin, and when to end.
proc ::kafka::cli::Offsets {words} {
    variable c
    foreach word $words {
        switch -regexp -matchvar match -- $word {
            {^(beginning|end|stored)$} {set c(start) $word}
            {^(-?)(\d{1,18})$} {
                lassign $match - sign number
                set c(start) $sign[scan $number %lld]
                # None from the end is the end.
                if {$c(start) eq "-0"} {set c(start) end}
            }
            {^s?@(\d{1,18})$} {set c(start) @[scan [lindex $match 1] %lld]}
            {^e@(\d{1,18})$} {set c(stop) [scan [lindex $match 1] %lld]}
            default {
                Usage "-o wants beginning, end, stored, N, -N, @MS or e@MS (milliseconds since 1970)"
            }
        }
    }
}

# ReadTopic master options topic partitions -- start partitions of a topic, and give what reads them.
proc ::kafka::cli::ReadTopic {master options topic partitions} {
    variable c
    if {$c(start) eq "stored" && [$master config group.id] eq ""} {
        Usage "-o stored wants a group: -X group.id=GROUP"
    }
    set consumer [$master consumer_creator ::kafka::cli::consumer]
    set partitions [PartitionsOf $consumer $options $topic $partitions]
    set starts {}
    foreach partition $partitions {
        dict set starts $partition [expr {$c(start) eq "" ? "beginning" : $c(start)}]
    }
    if {[string match @* $c(start)]} {
        set time [string range $c(start) 1 end]
        set specs [lmap partition $partitions {list $topic $partition $time}]
        foreach tp [$consumer offsets_for_times -timeout [Wait $options 5] -- {*}$specs] {
            set offset [lindex $tp 2]
            dict set starts [lindex $tp 1] [expr {[string is entier -strict $offset] ? $offset : "end"}]
        }
    }
    set c(object) [$consumer new_topic ::kafka::cli::topic $topic]
    set queue [$consumer create_queue ::kafka::cli::queue]
    if {$c(exit)} {Ends $consumer [lmap partition $partitions {list $topic $partition}] $options}
    dict for {partition start} $starts {$c(object) start_queue $partition $start $queue}
    set c(partitions) [llength $partitions]
    return $queue
}

# Ends handle places options -- remember where partitions end now, for -e: what is written from here on is not read.
proc ::kafka::cli::Ends {handle places options} {
    variable c
    foreach place $places {
        if {[dict exists $c(last) $place]} continue
        dict set c(last) $place [lindex [$handle watermarks -timeout [Wait $options 5] {*}$place] 1]
    }
}

# ReadGroup master options topics -- become a member of a group.
proc ::kafka::cli::ReadGroup {master options topics} {
    variable c
    set subscriber [$master subscriber ::kafka::cli::subscriber]
    Reach $subscriber $options
    $subscriber rebalance_callback ::kafka::cli::Rebalanced
    $subscriber subscribe {*}$topics
    return $subscriber
}

# Rebalanced event -- the group has given or taken partitions.
proc ::kafka::cli::Rebalanced {event} {
    variable c
    set partitions [lmap tp [dict get $event partitions] {lrange $tp 0 1}]
    Note "[dict get $event event]: [join [lmap tp $partitions {join $tp /}] {, }]"
    foreach tp $partitions {
        dict unset c(done) $tp
        if {[dict get $event event] ne "assign" || $c(start) in {"" stored} || [dict exists $c(begun) $tp]} {
            continue
        }
        # Where -o says, the first time; a partition that comes back goes on where the group is.
        dict set c(begun) $tp 1
        subscriber seek [list {*}$tp $c(start)]
    }
}

# ReadAll reader group options -- read until it is time to end.
proc ::kafka::cli::ReadAll {reader group options} {
    variable c
    variable fields
    set client [expr {$group ? $reader : "::kafka::cli::consumer"}]
    # Both on one terminal would be a mess.
    set show [expr {![Terminal stdout]}]
    variable interrupted
    while {!$interrupted} {
        set most 1000
        if {$c(most)} {
            if {$c(count) >= $c(most)} break
            set most [expr {min($most, $c(most) - $c(count))}]
        }
        try {
            set list [$reader consume_list 1000 $most -fields [list {*}$fields end]]
        } on error {message problem} {
            # A signal ends a call that waits.
            if {$interrupted} break
            return -options $problem $message
        }
        if {$group && $c(exit)} {Ends $reader [lmap tp [$reader assignment] {lrange $tp 0 1}] $options}
        if {[llength $list]} {
            if {$c(stop) eq "" && !$c(exit) && !$c(unbuffered)} {
                Write $list
            } else {
                WriteUntil $list $group
            }
            # One who waits for a message sees it at once, one who reads many is not held up.
            Flush
        }
        if {$group} {
            # Others may take partitions over, so that those left are all at their ends.
            if {$c(exit) && [dict size $c(done)] && [dict size $c(done)] == [llength [$reader assignment]]} break
        } elseif {[dict size $c(done)] == $c(partitions)} {
            break
        }
        $client poll 0
        CheckFatal
        if {$show} {Progress "[Grouped $c(count)] messages"}
    }
}

# Write list -- write messages.
proc ::kafka::cli::Write {list} {
    variable c
    foreach {topic partition offset timestamp type headers key payload nulls broker end} $list {
        if {$end eq ""} {
            Put [apply $c(format) $topic $partition $offset $timestamp $type $headers $key $payload \
                $nulls $broker]
            incr c(count)
        } else {
            Note "end of topic $topic partition $partition at offset $offset"
        }
    }
}

# WriteUntil list group -- as Write, and mind the ends.
proc ::kafka::cli::WriteUntil {list group} {
    variable c
    set before $c(done)
    foreach {topic partition offset timestamp type headers key payload nulls broker end} $list {
        set place [list $topic $partition]
        # What comes after the end of a partition is left out.
        if {[dict exists $c(done) $place]} continue
        if {$end ne ""} {
            Note "end of topic $topic partition $partition at offset $offset"
            if {$c(exit)} {dict set c(done) $place $offset}
            continue
        }
        if {$c(exit) && $offset >= [dict get $c(last) $place]} {
            dict set c(done) $place [dict get $c(last) $place]
            continue
        }
        if {$c(stop) ne "" && $timestamp ne "" && $timestamp >= $c(stop)} {
            dict set c(done) $place $offset
            continue
        }
        Put [apply $c(format) $topic $partition $offset $timestamp $type $headers $key $payload \
            $nulls $broker]
        incr c(count)
        if {$c(unbuffered)} {Flush}
        if {$c(exit) && $offset + 1 >= [dict get $c(last) $place]} {
            Note "end of topic $topic partition $partition at offset [expr {$offset + 1}]"
            dict set c(done) $place [expr {$offset + 1}]
        }
    }
    dict for {place next} $c(done) {
        if {![dict exists $before $place]} {Finish $place $next $group}
    }
}

# Finish place next group -- read no more of a partition. More of it may have been read than was written out: for
# the group it ends here.
proc ::kafka::cli::Finish {place next group} {
    variable c
    if {$group} {
        subscriber pause $place
        subscriber seek [list {*}$place $next]
        subscriber store [list {*}$place $next]
        return
    }
    set partition [lindex $place 1]
    $c(object) pause $partition
    if {$c(start) eq "stored" && $next > 0} {
        $c(object) seek $partition $next
        $c(object) store_offset $partition [expr {$next - 1}]
    }
}
