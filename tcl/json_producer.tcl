# json_producer.tcl -- kafka::json::Producer: sends messages in the envelope of kafka::json.

package require Tcl 8.6-

::kafka::common::Class ::kafka::json::Producer {
    variable Handle Svc

    constructor {args} {
        set options [::kafka::common::Options [list {*}$::kafka::common::clientOptions \
            -svc ! name] $args]
        set Svc [dict get $options -svc]
        set Handle [::kafka::common::Handle [::kafka::common::Master $options \
            [::kafka::json::producer_settings]] producer]
    }

    destructor {
        # Where ::kafka is deleted, kafka::common may have gone first.
        if {[info exists Handle] && [namespace which -command $Handle] ne ""} {$Handle delete}
    }

    # produce topic message -- a dict `id payload ?refs? ?types?`; waits for the delivery.
    method produce {topic message} {
        my produce_batch $topic [list $message]
    }

    # produce_batch topic messages ?-ignore_large b? -- waits for all; throws when one is not delivered.
    # With -ignore_large, messages that are too large are left out, and said on stderr.
    method produce_batch {topic messages args} {
        ::kafka::common::Check topic name $topic
        ::kafka::common::Check messages list $messages
        set options [::kafka::common::Options {-ignore_large 0 bool} $args]
        set list {}
        set index 0
        foreach message $messages {
            foreach key {id payload} {
                if {[catch {dict exists $message $key} found] || !$found} {
                    ::kafka::common::Bad "expected a dict with id and payload for message $index:\
                        there is no $key"
                }
            }
            set types object
            if {[dict exists $message types]} {set types [dict get $message types]}
            set payload [::kafka::json::pack_payload $Svc [dict get $message payload] \
                [my Refs $message] $types]
            set words [list $payload]
            if {[dict get $message id] ne ""} {
                lappend words -key [encoding convertto utf-8 [dict get $message id]]
            }
            lappend list $words
            incr index
        }
        if {![dict get $options -ignore_large]} {
            if {[llength $list]} {$Handle send_batch $topic $list -wait -1}
            return
        }
        foreach words $list {
            try {
                $Handle send $topic {*}$words -wait -1
            } trap {KAFKA RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE} {} {
                ::kafka::json::Log {level error message {a message is too large: left out}}
            }
        }
        return
    }

    # handle -- the plain producer
    method handle {} {return $Handle}

    method close {args} {
        $Handle close {*}$args
        if {![::kafka::common::Over]} {my destroy}
    }

    # Refs message -- a list of refs, where one ref is taken as well.
    method Refs {message} {
        if {![dict exists $message refs]} return
        set refs [dict get $message refs]
        if {![llength $refs]} return
        # A ref is a dict, and its first word no dict.
        if {[lindex $refs 0] in {topic partition offset key hist}} {set refs [list $refs]}
        return $refs
    }
}
