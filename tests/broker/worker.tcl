# worker.tcl -- consume, transform, produce in transactions, in processes of their own: sourced after
# helper.tcl by exactly_once.test and restart.test.

# It reads some, writes their like and says where it is, all in one transaction; whatever goes
# wrong with that is taken back, and read again from where the group is.
set worker {
    lassign $argv bootstrap group in out id settings
    set m [kafka::kafka create #auto]
    $m logger none
    $m config bootstrap.servers $bootstrap group.id $group enable.auto.commit false \
        isolation.level read_committed {*}$settings
    set s [$m subscriber #auto]
    set m [kafka::kafka create #auto]
    $m logger none
    $m config bootstrap.servers $bootstrap transactional.id $id transaction.timeout.ms 10000 linger.ms 0
    set p [$m producer_creator #auto]
    # As README's program does it: what passes is called again.
    proc flags {options} {lindex [dict get $options -errorcode] end}
    proc again {args} {
        while 1 {
            try {
                return [{*}$args]
            } trap KAFKA {message options} {
                if {"fatal" in [flags $options]} {
                    puts "fatal $message"
                    exit 3
                }
                if {"retriable" ni [flags $options]} {return -options $options $message}
                puts "again $message"
            }
            after 100
        }
    }
    # Reads again from what is committed, of the partitions that are still here.
    proc rewind {s} {
        while {[llength [$s assignment]]} {
            if {![catch {
                $s seek {*}[lmap place [again $s committed {*}[$s assignment]] {
                    lassign $place topic partition offset
                    list $topic $partition [expr {$offset eq "invalid" ? "beginning" : $offset}]
                }]
            } message]} return
            puts "odd $message"
            after 100
        }
    }
    # Ends what an earlier life of this id has left open, too.
    again $p init_transactions
    $s subscribe $in
    # A script without an event loop ends with its parent all the same.
    fconfigure stdin -blocking 0
    while {[gets stdin line] >= 0 || ![eof stdin]} {
        if {[catch {$s consume_list 200 20 -fields {partition payload}} batch]} {
            puts "odd $batch"
            continue
        }
        if {![llength $batch]} continue
        try {
            $p begin_transaction
            foreach {partition payload} $batch {
                $p send $out "$payload done" -partition $partition
            }
            again $p send_offsets_to_transaction $s
            again $p commit_transaction
        } trap KAFKA {message options} {
            puts "undone $message"
            if {"fatal" in [flags $options]} {exit 3}
            again $p abort_transaction
            rewind $s
            continue
        }
        puts "done [expr {[llength $batch] / 2}]"
        after 10
    }
}

# How many messages the workers say that they have committed; what else they say.
proc heard {args} {
    foreach h $args {
        while {[llength $::helper::child($h,lines)]} {hears [childLine $h]}
    }
    return $::committed
}
proc hears {line} {
    switch [lindex $line 0] {
        done {incr ::committed [lindex $line 1]}
        default {lappend ::said $line}
    }
}
