# cli_client.tcl -- part of kafka::cli: configuration, and the objects that talk to the cluster.

# Master options ?name value ...? -- a master: defaults first, then files, -X and -b. Errors never
# show a value.
proc ::kafka::cli::Master {options args} {
    variable master [::kafka::kafka create ::kafka::cli::master]
    variable verbose
    $master logger none
    if {$verbose || [dict exists $options -d]} {$master logger stderr}
    # A set default may be one that the user's configuration forbids: that has the last word.
    set defaults $args
    set dump 0
    foreach file [Files $options] {
        $master config -file $file
    }
    foreach word [Opt $options -X] {
        if {$word eq "dump"} {
            set dump 1
            continue
        }
        # The word may be a password, and is not repeated.
        if {![regexp {^\s*([^=\s]+)\s*=(.*)$} $word - key value]} {
            Usage "-X wants NAME=VALUE, in one word"
        }
        if {[string match topic.* $key]} {
            $master topic_config [string range $key 6 end] $value
        } else {
            $master config $key $value
        }
    }
    if {[dict exists $options -b]} {$master config bootstrap.servers [dict get $options -b]}
    if {[dict exists $options -d]} {$master config debug [dict get $options -d]}
    if {[$master config bootstrap.servers] eq "" && [info exists ::env(KAFKA_BOOTSTRAP)]} {
        $master config bootstrap.servers $::env(KAFKA_BOOTSTRAP)
    }
    if {$dump} {
        foreach {key value} [lsort -stride 2 [$master config]] {Say "$key = $value\n"}
        Flush
        exit 0
    }
    if {[$master config bootstrap.servers] eq ""} {
        Usage "no brokers: give -b host:port, or set KAFKA_BOOTSTRAP"
    }
    foreach {key value} $defaults {
        $master config $key $value
    }
    $master error_callback ::kafka::cli::ClientError
    return $master
}

# Files options -- the files of properties that are to be read.
proc ::kafka::cli::Files {options} {
    if {[dict exists $options -F]} {
        return [lsearch -all -inline -not -regexp [dict get $options -F] {^(none|-)$}]
    }
    if {[info exists ::env(KAFKAT_CONFIG)] && $::env(KAFKAT_CONFIG) ne ""} {
        return [list $::env(KAFKAT_CONFIG)]
    }
    if {[info exists ::env(HOME)]} {
        set file [file join $::env(HOME) .config kafkat.conf]
        if {[file exists $file]} {return [list $file]}
    }
    return
}

# Given master name -- whether the user has set a property that has a default.
proc ::kafka::cli::Given {master name} {
    set plain [::kafka::kafka create #auto]
    try {
        expr {[$master config $name] ne [$plain config $name]}
    } finally {
        $plain delete
    }
}

# ClientError error -- what librdkafka has to say about the client as a whole.
proc ::kafka::cli::ClientError {error} {
    variable told
    set text [dict get $error message]
    if {[dict get $error fatal]} {
        variable fatal $text
    }
    # The same again, but for how often and when.
    regsub -all {/(bootstrap|\d+)|\d+/\d+ | \(after [^;]*| ipv[46]#\S+} $text {} plain
    if {$plain in $told} {return}
    lappend told $plain
    Warn $text
}

# CheckFatal -- throw if the client can't go on.
proc ::kafka::cli::CheckFatal {} {
    variable fatal
    if {[info exists fatal]} {Fail $fatal}
}

# Wait options default -- the milliseconds of -m.
proc ::kafka::cli::Wait {options default} {
    return [expr {1000 * [Number $options -m 1 $default]}]
}

# Reach client options -- throw unless there is a cluster that answers, and what is wrong.
proc ::kafka::cli::Reach {client options} {
    $client info brokers -timeout [Wait $options 5]
}

# WithAdmin variable options script -- run a script of the caller's with an admin.
proc ::kafka::cli::WithAdmin {variable options script} {
    upvar 1 $variable admin
    set admin [[Master $options] admin ::kafka::cli::admin]
    try {
        uplevel 1 $script
    } finally {
        $admin delete
    }
}

# Metadata client options ?topic? -- the cluster's metadata, or that of a topic, which has to exist.
proc ::kafka::cli::Metadata {client options {topic ""}} {
    set words [list metadata -timeout [Wait $options 5]]
    if {$topic ne ""} {lappend words -topic $topic}
    return [$client {*}$words]
}

# PartitionsOf client options topic ?wanted? -- a topic's partitions: those wanted, else all.
proc ::kafka::cli::PartitionsOf {client options topic {wanted {}}} {
    set found [dict get [Metadata $client $options $topic] topics $topic]
    if {[dict exists $found error]} {Fail "topic $topic: [ErrorText $found]"}
    set there [lsort -integer [dict keys [dict get $found partitions]]]
    if {![llength $there]} {Fail "topic $topic has no partitions"}
    foreach partition $wanted {
        if {$partition ni $there} {
            Fail "topic $topic has the partitions [lindex $there 0] to [lindex $there end]:\
                there is no $partition"
        }
    }
    return [expr {[llength $wanted] ? $wanted : $there}]
}

# ErrorText dict -- the error of a topic or partition in metadata, as librdkafka words it.
proc ::kafka::cli::ErrorText {dict} {
    set code [dict get $dict error]
    set texts {
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART {Broker: Unknown topic or partition}
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE {Broker: Leader not available}
        RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE {Broker: Replica not available}
        RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION {Broker: Invalid topic}
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED {Broker: Topic authorization failed}
    }
    expr {[dict exists $texts $code] ? [dict get $texts $code] : $code}
}

# ErrorWords error -- the error of a report, or of one of several items, in words.
proc ::kafka::cli::ErrorWords {error} {
    set text [dict get $error error]
    if {[dict get $error message] ne $text} {append text " ([dict get $error message])"}
    return $text
}
