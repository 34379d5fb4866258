# words.tcl -- random words for random calls, from one seed.
#
# What is drawn depends on the seed alone, never on what a call did: the same seed makes the
# same calls in every run, whatever the network was like.

namespace eval ::random {
    variable state 1        ;# of the generator
    variable most 3         ;# how deep a callback's own call may hold callbacks

    # The names that objects get: few, so that calls meet objects of every age, and names
    # that are in use are taken again.
    variable slots {
        master {::m0 ::m1 ::m2}   producer {::p0 ::p1 ::p2}   consumer {::c0 ::c1}
        topic_producer {::o0 ::o1 ::o2}   topic_consumer {::i0 ::i1 ::i2}   queue {::q0 ::q1}
        subscriber {::s0 ::s1 ::s2}   admin {::a0 ::a1}   mock {::k0}
    }
    # The cluster that all clients use, a process of its own. It gets calls too, but no end:
    # without it nothing would happen any more.
    variable cluster ::cluster
    variable weights {
        kafka 2 master 8 producer 16 topic_producer 14 consumer 8 topic_consumer 14 queue 8
        subscriber 20 admin 7 mock 3
    }
    variable topics {t0 t1 t2 t3}

    # Words that fit nowhere, nearly nowhere, or at the very end of what fits.
    variable odd [list {} { } 0 1 -1 -2 2147483647 2147483648 -2147483649 4294967296 \
        9223372036854775807 9223372036854775808 -9223372036854775808 99999999999999999999999 \
        1.5 1e3 0x10 NaN abc - -- -x -timeout -command #auto \0 a\0b \u00e9 \u65e5 \ud83d \udc00x \
        "\{" "a \{b" "\}" "a \"b" {[exit]} {$x} {; exit} \\ "x\\" "a b" "a b c" "a b c d e" \
        {{a b} {c d}} {{t0 0} {t0 0}} "\n" [string repeat x 3000] [string repeat "a " 500] \
        ::no::such::name ::set set {} t0 {t0 0} {t0 0 5} beginning end stored invalid]
}

# seed n -- begin again.
proc ::random::seed {n} {
    variable state
    # Neighbouring seeds would begin alike.
    set state [expr {($n * 2862933555777941757 + 3037000493) & 0xFFFFFFFFFFFF}]
    for {set i 0} {$i < 5} {incr i} {draw 2}
}

# draw n -- a number from 0 to n - 1 (48 bits of state, as drand48 has).
proc ::random::draw {n} {
    variable state
    set state [expr {($state * 25214903917 + 11) & 0xFFFFFFFFFFFF}]
    return [expr {($state >> 16) % $n}]
}

proc ::random::pick {list} {lindex $list [draw [llength $list]]}

# chance percent
proc ::random::chance {percent} {expr {[draw 100] < $percent}}

# weighted pairs -- a name, as often as its weight says.
proc ::random::weighted {pairs} {
    set sum 0
    foreach {- weight} $pairs {incr sum $weight}
    set at [draw $sum]
    foreach {name weight} $pairs {
        if {[incr at -$weight] < 0} {return $name}
    }
}

proc ::random::slot {type} {
    variable slots
    pick [dict get $slots $type]
}

proc ::random::anySlot {} {
    variable slots
    slot [pick [dict keys $slots]]
}

# time -- milliseconds; none that waits for long. -1 and huge ones are for hostile.test.
proc ::random::time {} {
    if {[chance 8]} {return [pick {-2 abc {} 1.5 9223372036854775808 -9223372036854775808 0x3 { 4 }}]}
    pick {0 0 0 1 2 5 10}
}

proc ::random::topic {} {
    variable topics
    pick [list {*}$topics {*}$topics {*}$topics no.such t-[draw 30]]
}

proc ::random::tp {} {
    set topic [topic]
    switch [draw 9] {
        0 {return $topic}
        1 {return [list $topic [draw 3]]}
        2 {return [list $topic [draw 3] [draw 20]]}
        3 {return [list $topic 0 [pick {beginning end stored invalid -1 -5}]]}
        4 {return [list $topic 1 0 metadata]}
        5 {return [list [list $topic 0] [list [topic] 1]]}
        6 {return [list [list $topic 0 0] [list [topic] 1 3]]}
        7 {return [list $topic 0 [pick {1700000000000 9223372036854775807 earliest latest max_timestamp}]]}
        8 {return [list $topic 0 0]}
    }
}

# bytes -- a payload or key.
proc ::random::bytes {} {
    variable odd
    switch [draw 5] {
        0 {return payload-[draw 1000]}
        1 {return [binary format I [draw 2147483647]]}
        2 {return [string repeat [pick {a \u00ff \0 é}] [draw 2000]]}
        3 {return {}}
        4 {return [pick $odd]}
    }
}

# message -- an element of a batch.
proc ::random::message {} {
    switch [draw 5] {
        0 {return [list [bytes]]}
        1 {return [list [bytes] [bytes]]}
        2 {return [list [bytes] -key [bytes] -headers [headers]]}
        3 {return [list [bytes] [bytes] -timestamp [pick {0 1 1700000000000 -5}] -tombstone [pick {0 1}]]}
        4 {return [bytes]}
    }
}

proc ::random::headers {} {
    set list {}
    for {set i [draw 4]} {$i > 0} {incr i -1} {lappend list [pick {a b \u00e9 {}}] [bytes]}
    return $list
}

# prefix depth -- a callback, or what is none.
proc ::random::prefix {depth} {
    if {[chance 12]} {return [pick [list {} {} "bad \{" no::such::command set {set a} {throw {TCL RANDOM}} #none]]}
    switch [weighted {noop 40 throw 8 flow 4 delete 10 rename 4 nested 6 call 28}] {
        noop   {return [list ::random::called noop [draw 4]]}
        throw  {return [list ::random::called throw]}
        flow   {return [list ::random::called flow [pick {2 3 4 5}]]}
        delete {return [list ::random::called call [list [anySlot] [pick {delete destroy close}]]]}
        rename {return [list ::random::called call [list rename [anySlot] {}]]}
        nested {return [list ::random::called nested [draw 4]]}
        call   {return [list ::random::called call [lindex [call [expr {$depth + 1}]] 1]]}
    }
}

# body depth -- what consume_batch evaluates.
proc ::random::body {depth} {
    switch [weighted {empty 20 count 20 break 8 continue 5 return 5 throw 8 yield 6 callback 28}] {
        empty    {return {}}
        count    {return {incr ::random::bodies}}
        break    {return break}
        continue {return continue}
        return   {return {return -level [expr {$::random::bodies % 3}] x}}
        throw    {return {throw {TCL RANDOM} body}}
        yield    {return {incr ::random::bodies; yield}}
        callback {return [prefix $depth]}
    }
}

# property -- key and value, of those that end no run for long.
proc ::random::property {} {
    pick {
        {linger.ms 0} {linger.ms 3} {batch.num.messages 2} {queue.buffering.max.messages 3}
        {message.timeout.ms 300} {group.id g0} {group.id g1} {group.id {}} {client.id me}
        {enable.auto.commit false} {enable.auto.offset.store true} {auto.commit.interval.ms 20}
        {statistics.interval.ms 20} {statistics.interval.ms 0} {compression.codec zstd} {acks 0}
        {acks all} {enable.idempotence true} {auto.offset.reset error} {auto.offset.reset latest}
        {partition.assignment.strategy cooperative-sticky} {group.protocol consumer}
        {enable.partition.eof true} {isolation.level read_committed} {fetch.wait.max.ms 5}
        {security.protocol ssl} {sasl.mechanism PLAIN} {sasl.mechanism OAUTHBEARER} {no.such 1}
        {linger.ms x} {session.timeout.ms 200} {topic.metadata.refresh.interval.ms 50}
        {metadata.max.age.ms 100} {max.poll.interval.ms 300} {debug all} {log_level 7} {debug {}}
        {transactional.id tx transaction.timeout.ms 1000} {plugin.library.paths x} {request.timeout.ms 20}
        {receive.message.max.bytes 1000} {sasl.password secret} {fetch.queue.backoff.ms 1}
    }
}

# acl -- a dict as the ACL subcommands take it.
proc ::random::acl {} {
    pick {
        {resource_type topic name t0 pattern literal principal User:a host * operation read permission allow}
        {resource_type any} {} {resource_type x} {name t0 name} {operation all permission deny}
    }
}

# word name depth -- a word for the place that a signature calls so.
proc ::random::word {name depth} {
    variable odd
    if {$name in {ms timeoutMS}} {return [time]}
    # A body with a brace too few is Tcl's to complain of, and its error has no errorCode.
    if {[chance 6] && $name ne "code"} {return [pick $odd]}
    switch -- $name {
        cmd - cmdName {return [weighted [list [anySlot] 20 #auto 2 ::random::ns::x 2]]}
        type {return [pick {master producer consumer subscriber mock topic broker group}]}
        t - topic {return [topic]}
        topics {return [list [topic] [topic]]}
        p - partition {return [pick {0 0 0 1 1 -1 7}]}
        payload - k - key {return [bytes]}
        h {return [headers]}
        e {return [pick {binary utf-8 iso8859-1 shiftjis no-such}]}
        b {return [pick {0 1 true off maybe}]}
        n - count - total {return [pick {0 1 2 3 5 10 100}]}
        messages - list {
            set list {}
            for {set i [draw 6]} {$i > 0} {incr i -1} {lappend list [message]}
            return $list
        }
        prefix {return [prefix $depth]}
        code {return [body $depth]}
        array {return [pick {::random::array ::random::array ::random::other ::random::scalar ::no::array}]}
        offset {return [pick {0 1 5 beginning end stored -1 -3 1000000}]}
        queue {return [slot queue]}
        group {return [pick [list g0 g1 [slot subscriber]]]}
        tp - message|tp - beginning|end|tp {
            return [expr {[chance 10] ? [pick {beginning end}] : [tp]}]
        }
        dict {return [list payload x partition 0 offset [draw 10] timestamp 1 topic [topic] key k]}
        config - assignment - keys - states - types {return [pick {{} {retention.ms 1000} {1 2} {{1} {1}} {stable}}]}
        version {return [pick {2.4 current}]}
        level {return [pick {0 3 7 debug err read_committed}]}
        id {return [pick {1 1 1 2}]}
        kind {return [pick {group transaction}]}
        api {return [pick {Produce Fetch Metadata OffsetCommit JoinGroup FindCoordinator InitProducerId}]}
        error {return [pick {NOT_LEADER_FOR_PARTITION REQUEST_TIMED_OUT 3 UNKNOWN -5 27}]}
        errno {return [pick {RD_KAFKA_RESP_ERR__FAIL -185 3}]}
        fields {return [pick {payload {payload offset} {key headers} {} {nothing}}]}
        action {return [pick {continue stop}]}
        election {return [pick {preferred unclean}]}
        acl - filter {return [acl]}
        change {return [pick {{user u mechanism SCRAM-SHA-256 iterations 4096 password pw} {user u mechanism SCRAM-SHA-512 delete 1} {}}]}
        replication {return [pick {1 1 3}]}
        brokerList {return [pick {127.0.0.1:1 {} 127.0.0.1:1,127.0.0.1:2}]}
        path {return [pick {/no/such/file / /dev/null}]}
        subcommand {return [pick {name new_topic delete output_queue_length}]}
        default {return [pick $odd]}
    }
}

# call ?depth? -- the type of a table and the words of one call of one of its rows.
proc ::random::call {{depth 0}} {
    variable weights
    variable tables
    variable most
    set type [weighted $weights]
    set row [pick [dict get $tables $type]]
    # A callback in a callback in a callback ends at some depth.
    if {$depth > $most} {return [list $type [list [anySlot] name]]}
    lassign $row name parts
    set words [expr {$type eq "kafka" ? "::kafka::kafka" : [slot $type]}]
    if {$type eq "mock" && [lindex $name 0] ni {delete destroy} && [chance 60]} {set words $::random::cluster}
    lappend words {*}$name
    foreach part $parts {lappend words {*}[part $name $part $depth]}
    if {[chance 3]} {
        # Not before the time: it would be one word more, and the call would wait for its default.
        set from [expr {min([llength $words], max(1, [lsearch -exact $words -timeout] + 2))}]
        set at [expr {$from + [draw [expr {[llength $words] - $from + 1}]]}]
        set words [linsert $words $at [pick $::random::odd]]
    } elseif {[chance 3] && "-timeout" ni $words} {
        # Without a time a call would wait for its long default. And not one word more and one less: then
        # the odd one could be the time.
        set words [lrange $words 0 end-1]
    }
    # Odd words may give a time once more, and some of these are without an end, or as good as that.
    foreach at [lsearch -all -exact $words -timeout] {
        set ms [lindex $words $at+1]
        if {[string is entier -strict $ms] && ($ms == -1 || $ms > 100 && $ms < 2147483648)} {lset words $at+1 1}
    }
    return [list $type $words]
}

# part name part depth -- the words for one part of a signature.
proc ::random::part {name part depth} {
    lassign $part kind what value
    switch $kind {
        word {return [list [word $what $depth]]}
        optional {
            # What would wait longer without it.
            if {$what eq "timeoutMS" || [chance 50]} {return [list [word $what $depth]]}
        }
        option {
            if {$what in {-timeout -block -wait}} {
                if {$what eq "-wait" && [chance 70]} return
                return [list $what [time]]
            }
            if {[chance 25]} {
                if {$value eq ""} {return [list $what]}
                return [list $what [word $value $depth]]
            }
        }
        rest {
            if {$name in {config topic_config}} {return [property]}
            if {$what eq "prefix"} {return [list [prefix $depth]]}
            set out {}
            for {set i [draw 4]} {$i > 0} {incr i -1} {lappend out [word $what $depth]}
            return $out
        }
    }
    return
}

# read signature -- its parts: {word n} {optional n} {option -n value} {rest n}.
proc ::random::read {signature} {
    set parts {}
    while {[set signature [string trimleft $signature]] ne ""} {
        if {[regexp {^\?([^?]*)\?(.*)$} $signature -> inner signature]} {
            if {[string match -* $inner]} {
                if {$inner ne "--"} {lappend parts [list option {*}$inner]}
            } elseif {[lindex $inner end] eq "..."} {
                lappend parts [list rest [lindex $inner 0]]
            } else {
                lappend parts [list optional $inner]
            }
        } else {
            regexp {^(\S+)(.*)$} $signature -> word signature
            if {$word eq "..."} {
                lset parts end 0 rest
            } else {
                lappend parts [list word $word]
            }
        }
    }
    return $parts
}

# tables -- read the package's method tables, once.
proc ::random::tables {} {
    variable tables
    set tables {}
    dict for {type rows} [::kafka::internal methods] {
        dict set tables $type [lmap row $rows {list [lindex $row 0] [read [lindex $row 1]]}]
    }
}
