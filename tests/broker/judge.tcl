# judge.tcl -- Kafka's own programs read the logs and the groups' offsets: what they find is compared with what
# the load (load.tcl) says. Sourced after load.tcl and nodes.tcl by cluster.test.

namespace eval judge {
    # scripts/broker keeps each node's data beside the folder of the programs.
    variable folder [file dirname [env KAFKA_HOME]]
    variable read 0             ;# how far the console consumer's output has been taken
    variable last               ;# what it has to read yet: {place partition payload} -> 1
    variable phantoms           ;# what it reads though its transaction was aborted
    # What `all` gives if all is right.
    variable right [list sound {} refused {} thrown {} phantoms {} twice,exactly 0 twice,stream 0 twice,logs {} \
        offsets {} ends {} replicas {}]
}

# all -- judge a load whose processes have ended: as `right`, or with what is wrong instead.
proc judge::all {} {
    set groups {}
    foreach name {classic consumer worker exactly} {lappend groups --group $::load::group($name)}
    set groups [nodes::tool kafka-consumer-groups --describe --offsets {*}$groups]
    set result [Committed]
    dict set result offsets [Offsets [nodes::end $groups]]
    # Whoever has read the last transaction as committed has seen that all replicas have it.
    set topics [list $::load::from $::load::to]
    set ends [nodes::tool kafka-get-offsets --topic-partitions [join [lmap place [places] {join $place :}] ,]]
    set dump [nodes::begin [file join [env KAFKA_HOME] bin kafka-dump-log.sh] --print-data-log --files [join [files] ,]]
    dict set result ends [Ends [nodes::end $ends]]
    # In the order of what is right.
    variable right
    return [dict merge $right $result [Dump [nodes::end $dump]]]
}

# places -- {topic partition} of both topics.
proc judge::places {} {
    set list {}
    foreach topic [list $::load::from $::load::to] {
        for {set i 0} {$i < $::load::partitions} {incr i} {lappend list [list $topic $i]}
    }
    return $list
}

# ---------------------------------------------------------------- kafka-console-consumer

# Committed -- what a reader of committed messages finds in both topics goes to the ledger; its verdict.
proc judge::Committed {} {
    variable phantoms {}
    variable read 0
    variable last
    array unset last
    # The program waits for more: the last marks, and their copies, are the end.
    for {set i 0} {$i < $::load::partitions} {incr i} {
        set mark "mark [expr {$::load::marks - $::load::partitions + $i}]"
        set last([list from $i $mark]) 1
        set last([list to $i $mark]) 1
    }
    set reading [nodes::tool kafka-console-consumer --include "$::load::from|$::load::to" --from-beginning \
        --isolation-level read_committed --formatter-property print.partition=true \
        --formatter-property print.offset=true]
    try {
        waitFor -timeout $::nodes::patience "\[judge::Read $reading\]"
    } finally {
        nodes::stop $reading
    }
    set verdict [$::load::ledger verdict]
    set ::load::heard(verdict) $verdict
    # With an error callback, no reading throws for a broker that is away.
    set thrown [lmap entry $::load::thrown {
        if {![regexp {^(classic|consumer|worker|stream)} [lindex $entry 1]]} continue
        set entry
    }]
    set result [dict create refused $::load::refused thrown $thrown phantoms $phantoms sound \
        [checking::sound $verdict -unreported [expr {[llength $::load::unknown] > 0}]]]
    foreach name {exactly stream} {
        dict set result twice,$name [dict get $verdict groups $name repeated]
    }
    return $result
}

# Read reading -- take what it has written since; whether that is all.
proc judge::Read {reading} {
    variable read
    variable last
    variable phantoms
    set written $::nodes::output($reading)
    set end [string last \n $written]
    if {$end < $read} {return [expr {![array size last]}]}
    foreach line [split [string range $written $read $end-1] \n] {
        if {![regexp {^Partition:(\d+)\tOffset:(\d+)\t(> )?(\S+) (\d+)$} $line - partition offset copy source number]} {
            error "kafka-console-consumer said: $line"
        }
        if {$copy eq ""} {
            set place from
            $::load::ledger stored $source $number from/$partition $offset
        } else {
            set place to
            $::load::ledger handled exactly $source $number
        }
        if {[info exists ::load::aborted([list $source $number])]} {lappend phantoms $line}
        unset -nocomplain last([list $place $partition "$source $number"])
    }
    set read [expr {$end + 1}]
    return [expr {![array size last]}]
}

# ---------------------------------------------------------------- kafka-consumer-groups

# Offsets said -- the offsets of all groups are those that we tell, those that their members told, and the end
# of the log, as its last message was read by all.
proc judge::Offsets {said} {
    set wrong {}
    set tool {}
    set columns {}
    foreach line [split $said \n] {
        set words [regexp -all -inline {\S+} $line]
        if {[lindex $words 0] eq "GROUP"} {
            set columns $words
        } elseif {[llength $columns] && [llength $words] == [llength $columns]} {
            set row {}
            foreach column $columns word $words {dict set row $column $word}
            dict with row {
                dict set tool $GROUP $TOPIC $PARTITION ${CURRENT-OFFSET}
                if {$TOPIC eq $::load::from && $LAG ne "0"} {lappend wrong "$line: a lag of $LAG"}
            }
        }
    }
    foreach name {classic consumer worker exactly} {
        set group $::load::group($name)
        set ours {}
        foreach place [nodes::ask list_group_offsets $group] {
            lassign $place topic partition offset
            dict set ours $topic $partition $offset
        }
        for {set i 0} {$i < $::load::partitions} {incr i} {
            set words [lmap dict [list $tool [dict create $group $ours]] {
                expr {[dict exists $dict $group $::load::from $i] ? [dict get $dict $group $::load::from $i] : "none"}
            }]
            lassign $words theirs mine
            if {$theirs eq "none" || $theirs ne $mine} {
                lappend wrong "$name, partition $i: the tool has $theirs, list_group_offsets $mine"
            }
        }
    }
    foreach claim $::load::claimed {
        lassign $claim name topic partition offset
        set group $::load::group($name)
        if {![dict exists $tool $group $topic $partition] || [dict get $tool $group $topic $partition] ne $offset} {
            lappend wrong "a member of $name said $partition is committed at $offset, the tool did not"
        }
    }
    if {[llength $wrong]} {lappend wrong $said}
    return $wrong
}

# ---------------------------------------------------------------- kafka-get-offsets

# Ends said -- the ends of the logs are those that list_offsets and watermarks give.
proc judge::Ends {said} {
    set ours [nodes::ask list_offsets {*}[lmap place [places] {list {*}$place latest}]]
    return [lmap place [places] {
        lassign $place topic partition
        set listed [dict get $ours $place offset]
        set high [lindex [$nodes::asker watermarks $topic $partition] 1]
        if {[regexp -line "^$topic:$partition:(\\d+)\$" $said - end] && $end == $listed && $end == $high} continue
        string cat "$place: list_offsets $listed, watermarks $high, the tool said: $said"
    }]
}

# ---------------------------------------------------------------- kafka-dump-log

# files -- those of both topics' logs, node by node.
proc judge::files {} {
    variable folder
    set files {}
    foreach node {1 2 3} {
        foreach place [places] {
            lappend files {*}[lsort [glob -directory $folder/node$node/data/[join $place -] *.log]]
        }
    }
    return $files
}

# Dump said -- all replicas hold the same, batch for batch, and no message stands there twice, be it in a
# transaction that was aborted.
proc judge::Dump {said} {
    variable folder
    set node ""
    array set log {1 {} 2 {} 3 {}}
    array set count {}
    foreach line [split $said \n] {
        if {[regexp {^Dumping .*/node(\d)/data/([^/]+)/} $line - node name]} {
            set line $name
            set copies [string match $::load::to-* $name]
        } elseif {$node eq ""} {
            error "kafka-dump-log said: $line"
        }
        lappend log($node) $line
        # What an aborted transaction has copied is copied again.
        if {$node == 1 && !$copies && [regexp { payload: (\S+ \d+)$} $line - id]} {incr count($id)}
    }
    set twice {}
    foreach {id n} [array get count] {if {$n > 1} {lappend twice "$id: $n"}}
    set differing {}
    foreach other {2 3} {
        foreach line $log(1) there $log($other) {
            if {$line ne $there} {
                lappend differing "node 1: $line" "node $other: $there"
                break
            }
        }
    }
    set ::load::heard(dumped) [array size count]
    dict create twice,logs $twice replicas $differing
}
