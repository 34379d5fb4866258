# json_consumer.tcl -- kafka::json::Consumer: batches of messages in the envelope of kafka::json, each
# committed when it was handled.

package require Tcl 8.6-

::kafka::common::Class ::kafka::json::Consumer {
    variable Handle Svc Topics BatchSize Timeout Commit Committed Log Stopping Seconds Times Count

    constructor {args} {
        set options [::kafka::common::Options [list {*}$::kafka::common::clientOptions \
            -svc ! name -topics ! list -group ! name -batch_size 100 {int 1} -timeout 1000 {int 0} \
            -commit 1 bool -log ::kafka::json::Log command] $args]
        set Svc [dict get $options -svc]
        set Topics [dict get $options -topics]
        set BatchSize [dict get $options -batch_size]
        set Timeout [dict get $options -timeout]
        set Commit [dict get $options -commit]
        set Committed {}
        set Log [dict get $options -log]
        if {![llength $Topics]} {
            ::kafka::common::Bad {expected at least one topic for -topics but got ""}
        }
        set conf [dict get $options -conf]
        if {[dict exists $conf enable.auto.commit]} {
            my Say warning "enable.auto.commit is not for -conf: batches are committed when they were handled"
        }
        # Nothing is stored but what is committed here.
        dict set conf enable.auto.commit false
        dict set conf enable.auto.offset.store false
        dict set conf group.id [dict get $options -group]
        dict set options -conf $conf
        set Stopping 0
        set Seconds 0.0
        set Times 0
        set Count 0
        set defaults [::kafka::json::consumer_settings]
        if {[dict exists $conf group.protocol] && [dict get $conf group.protocol] eq "consumer"} {
            # By this protocol the brokers have the times, and librdkafka refuses them.
            set defaults [dict remove $defaults heartbeat.interval.ms session.timeout.ms]
        }
        set Handle [::kafka::common::Handle [::kafka::common::Master $options $defaults] subscriber]
        $Handle subscribe {*}[lmap topic $Topics {list $topic}]
    }

    destructor {
        # Where ::kafka is deleted, kafka::common may have gone first.
        if {[info exists Handle] && [namespace which -command $Handle] ne ""} {$Handle delete}
    }

    # process handler ?-latest_only b? ?-batches n? -- call the handler with each batch, a list of dicts
    # `id payload refs topic types`, until it breaks, `stop` is called or so many batches were handled;
    # gives the number of messages. An error in the handler is thrown; its batch isn't committed, and
    # comes again. What the group refuses because it has moved on goes to -log, and reading goes on.
    method process {handler args} {
        ::kafka::common::Check handler command $handler
        set options [::kafka::common::Options {-latest_only 0 bool -batches 0 {int 0}} $args]
        set Stopping 0
        set processed 0
        set batches 0
        while {!$Stopping} {
            # Whatever ran during the last pass may have destroyed it.
            ::kafka::common::Stays
            set list [my Read]
            ::kafka::common::Stays
            # Timers may call stop.
            if {![llength $list]} {
                # What is no message (the marks of transactions, say) is passed over all the same.
                my Commit {} 0
                update
                continue
            }
            lassign [my Batch $list] messages ref offsets
            if {[dict get $options -latest_only]} {set messages [my Latest $messages]}
            set name [::kafka::json::format_batch_ref $ref]
            my Say debug "\[$name\] a batch of [llength $messages] messages"
            set start [clock microseconds]
            set code [catch {uplevel #0 [list {*}$handler $messages]} result problem]
            if {$code == 1} {
                if {![::kafka::common::Over]} {
                    my Say error "\[$name\] failed: $result"
                    my Again $offsets
                }
                return -options [dict incr problem -level] $result
            }
            ::kafka::common::Stays
            # A `break` ends it, after the commit.
            set isLast [expr {$code == 3 || [incr batches] == [dict get $options -batches]}]
            my Commit $offsets $isLast
            set Seconds [expr {$Seconds + ([clock microseconds] - $start) / 1e6}]
            incr Times
            incr Count [llength $messages]
            incr processed [llength $messages]
            if {$isLast} break
            update
        }
        return $processed
    }

    # Read -- the messages of the next batch, or none.
    method Read {} {
        try {
            return [$Handle consume_list $Timeout $BatchSize -min $BatchSize]
        } trap {KAFKA RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED} message {
            # The next read joins the group again.
            my Say warning "$message; what was not committed comes again: handle fewer messages at a time, or more quickly"
            return
        }
    }

    # Commit offsets isLast -- commit all that was read, the last batch with these offsets. Partitions of
    # which the group has disposed meanwhile have another reader, who is given the messages again; and what a
    # broker can't answer for the moment is committed with the next batch, unless there is none.
    method Commit {offsets isLast} {
        if {!$Commit || ![llength [set places [my Places $offsets]]]} return
        if {[catch {$Handle commit {*}$places} message options]} {
            lassign [dict get $options -errorcode] - code - - flags
            if {[::kafka::common::Over] || ($code ni $::kafka::json::moved && ($isLast || "retriable" ni $flags))} {
                return -options [dict incr options -level] $message
            }
            my Say warning "not committed: $message; those that are still this consumer's are committed with the next\
                batch, the messages of the others come again"
            return
        }
        foreach tp $places {dict set Committed [lrange $tp 0 1] [lindex $tp 2]}
    }

    # Places offsets -- {topic partition offset} to commit when all that was read is handled, the last
    # batch with these offsets.
    method Places {offsets} {
        set places {}
        dict for {tp ends} $offsets {dict set places $tp [expr {[lindex $ends 1] + 1}]}
        foreach tp [$Handle position] {
            lassign $tp topic partition offset
            set tp [list $topic $partition]
            if {$offset eq "invalid"} continue
            if {[dict exists $places $tp]} {
                dict set places $tp [expr {max($offset, [dict get $places $tp])}]
            } elseif {![dict exists $Committed $tp] || [dict get $Committed $tp] != $offset} {
                dict set places $tp $offset
            }
        }
        set tps {}
        dict for {tp offset} $places {lappend tps [list {*}$tp $offset]}
        return $tps
    }

    # stop -- have process return after the batch in hand.
    method stop {} {
        set Stopping 1
        return
    }

    # metrics -- the time and number of what was processed, as Prometheus reads it.
    method metrics {} {
        regsub -all {[^a-zA-Z0-9_:]} $Svc _ name
        set time ${name}_kafka_process_seconds
        set count ${name}_kafka_process_count_total
        return "# HELP $time Time spent processing Kafka messages
# TYPE $time summary
${time}_count [format %.1f $Times]
${time}_sum $Seconds
# HELP $count Count of Kafka messages processed
# TYPE $count counter
$count [format %.1f $Count]
"
    }

    # handle -- the plain subscriber
    method handle {} {return $Handle}

    method close {args} {
        set Stopping 1
        $Handle close {*}$args
        if {![::kafka::common::Over]} {my destroy}
    }

    # ------------------------------------------------------------ inside

    # Batch list -- {messages ref offsets}: grouped by partition, in the order in which partitions came.
    # Ref is topic -> partition -> {first last}, offsets {topic partition} -> {first last}.
    method Batch {list} {
        set groups {}
        foreach message $list {
            dict lappend groups [list [dict get $message topic] [dict get $message partition]] $message
        }
        set messages {}
        set ref {}
        set offsets {}
        dict for {tp group} $groups {
            lassign $tp topic partition
            set range [list [dict get [lindex $group 0] offset] [dict get [lindex $group end] offset]]
            dict set offsets $tp $range
            if {![my Expected $topic]} {
                my Say warning "[llength $group] messages of topic $topic, which is none of $Topics:\
                    left out"
                continue
            }
            dict set ref $topic $partition $range
            foreach message $group {
                if {[catch {::kafka::json::unpack_payload $message $Log} unpacked options]} {
                    # A message that can't be read is as bad as a handler that fails.
                    my Again $offsets
                    return -options [dict incr options -level 2] $unpacked
                }
                if {$unpacked eq ""} continue
                lappend messages [dict create id [dict get $unpacked ref key] \
                    payload [dict get $unpacked item] refs [dict get $unpacked ref] topic $topic \
                    types [dict get $unpacked types]]
            }
        }
        list $messages $ref $offsets
    }

    method Expected {topic} {
        foreach name $Topics {
            if {$name eq $topic || ([string match ^* $name] && [regexp -- $name $topic])} {return 1}
        }
        return 0
    }

    # Latest messages -- of each id the last one, in their order.
    method Latest {messages} {
        set latest {}
        set seen {}
        foreach message [lreverse $messages] {
            if {[dict exists $seen [dict get $message id]]} continue
            dict set seen [dict get $message id] 1
            lappend latest $message
        }
        lreverse $latest
    }

    # Again offsets -- read what was not handled once more.
    method Again {offsets} {
        foreach tp [dict keys $offsets] {
            # It may have been taken away meanwhile; then somebody else gets it.
            catch {$Handle seek [list {*}$tp [lindex [dict get $offsets $tp] 0]]}
        }
    }

    method Say {level text} {
        {*}$Log [dict create level $level message $text]
        return
    }
}
