# exactly_once.tcl -- from one topic to another, each message exactly once.
#
#     tclsh exactly_once.tcl -brokers kafka1:9092 -from orders -to invoices \
#         -group billing -id billing-1
#
# What is written, and how far was read, become visible together, in one transaction,
# or not at all. Run as many of these as you like with one -group: each takes a part of
# the partitions, and each needs an -id of its own, which stays the same when it is
# started again. Readers of the result see it once if their isolation.level is
# read_committed, which is the default.
#
# An error says itself, in the last element of its errorCode, what to do:
#
#     retriable        call the same again: it goes on where it was
#     abort_required   abort, go back to what is committed, and work on
#     fatal            this producer can do no more: make a new one, and go back
#
# Whatever says nothing would happen again: the work so far is taken back, and the
# error ends the program.

package require kafka
package require TclOO

oo::class create ExactlyOnce {
    variable writing reading producer output to subscriber transform

    # transform is a command prefix that gets a message and returns a list, each element
    # the payload and the key of a message to write.
    constructor {brokers from toTopic group id transformer} {
        set to $toTopic
        set transform $transformer
        set writing [::kafka::kafka create #auto]
        $writing config bootstrap.servers $brokers transactional.id $id
        set reading [::kafka::kafka create #auto]
        # Offsets are committed with the transaction, and in no other way.
        $reading config bootstrap.servers $brokers group.id $group \
            enable.auto.commit false isolation.level read_committed auto.offset.reset earliest
        # A broker that is away is no reason to stop; librdkafka connects again.
        foreach master [list $writing $reading] {
            $master error_callback [list apply {{error} {
                puts stderr "kafka: [dict get $error reason]"
            }}]
        }
        set producer ""
        my Renew
        set subscriber [$reading subscriber #auto]
        $subscriber subscribe $from
    }

    destructor {
        # In this order: nothing may be assigned to us that nobody works on.
        if {[info exists subscriber]} {$subscriber close}
        if {$producer ne ""} {$producer delete}
        foreach master [list $writing $reading] {$master delete}
    }

    # step ms max -- wait up to ms for messages, and move up to max of them in one
    # transaction; return how many were moved.
    method step {ms max} {
        # The time comes first, then the most messages.
        set batch [$subscriber consume_list $ms $max]
        if {![llength $batch]} {
            return 0
        }
        try {
            my Move $batch
            return [llength $batch]
        } trap KAFKA {message options} {
            set flags [lindex [dict get $options -errorcode] end]
            my TakeBack $flags
            # Fenced: another program works with our -id, and took over. To take over from
            # it in turn would go on for ever.
            if {[lindex [dict get $options -errorcode] 1] eq "RD_KAFKA_RESP_ERR__FENCED"
                    || !("abort_required" in $flags || "fatal" in $flags)} {
                return -options $options $message
            }
            puts stderr "again: $message"
            return 0
        } on error {message options} {
            # The transformer's: what it has not finished is no one's business.
            my TakeBack {}
            return -options $options $message
        }
    }

    method Move {batch} {
        $producer begin_transaction
        foreach message $batch {
            foreach result [{*}$transform $message] {
                lassign $result payload key
                $output produce -1 $payload -key $key -block 10000
            }
        }
        # Of all that we were given: the whole batch, and nothing else.
        my Again $producer send_offsets_to_transaction $subscriber
        my Again $producer commit_transaction
    }

    # TakeBack flags -- undo the transaction, and read again what it was made of.
    method TakeBack {flags} {
        if {"fatal" in $flags} {
            my Renew
        } else {
            try {
                my Again $producer abort_transaction
            } trap KAFKA {} {
                # What an abort can't end, the next init_transactions does.
                my Renew
            }
        }
        my Rewind
    }

    # Renew -- a new producer; its first call aborts what the old one has left open.
    method Renew {} {
        if {$producer ne ""} {
            $producer linger_on_close 0
            $producer delete
        }
        set producer [$writing producer_creator #auto]
        set output [$producer new_topic #auto $to]
        my Again $producer init_transactions
    }

    # Rewind -- go back to what is committed. Only the cluster knows: an error may hide
    # a commit that came through.
    method Rewind {} {
        set partitions [$subscriber assignment]
        if {![llength $partitions]} return
        set places {}
        foreach place [my Again $subscriber committed {*}$partitions] {
            lassign $place topic partition offset
            # Nothing is committed yet: as auto.offset.reset has it.
            if {$offset eq "invalid"} {set offset beginning}
            lappend places [list $topic $partition $offset]
        }
        $subscriber seek {*}$places
    }

    # Again command ?arg ...? -- call a command until its error is no longer retriable.
    method Again {args} {
        while 1 {
            try {
                return [{*}$args]
            } trap KAFKA {message options} {
                if {"retriable" ni [lindex [dict get $options -errorcode] end]} {
                    return -options $options $message
                }
            }
            after 100
        }
    }
}

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -from my.test -to my.result -group exactly.once \
    -id exactly.once.1 -count 0]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

# One message becomes one, in capitals.
proc capitals {message} {
    set key [expr {[dict exists $message key] ? [dict get $message key] : ""}]
    list [list [string toupper [dict get $message payload]] $key]
}

set job [ExactlyOnce new $option(-brokers) $option(-from) $option(-to) $option(-group) \
    $option(-id) capitals]
set moved 0
while {$option(-count) == 0 || $moved < $option(-count)} {
    incr moved [$job step 1000 100]
}
$job destroy
puts "$moved moved"
exit 0
