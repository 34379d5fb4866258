# kafka.tcl -- the easy interface of package kafka.
#
# One cluster, one producer, one consumer: enough for most programs.
#
#     package require kafka
#     kafka::brokers {kafka1:9092 kafka2:9092}
#     kafka::topic_producer flights flights.live
#     flights produce -1 $payload $key
#
# Behind these commands stand ordinary objects, made when they are first needed:
# ::kafka::master, ::kafka::producer and ::kafka::consumer. A script may configure
# them between the steps, or delete them; the next call makes a new one. What is
# set up is seen by the commands themselves; KafkaTcl's flags tell the same.
#
# A call that fails leaves things as they were: objects that it made on the way
# are deleted again, and the broker list is the one from before.

# What is not for scripts lives here, out of sight of `info commands ::kafka::*`.
namespace eval ::kafka::easy {}

# State name value -- a variable of the namespace that calls, with this value unless it has one: the
# package may be forgotten and required again while objects live on that it has made.
proc ::kafka::easy::State {name value} {
    uplevel 1 [list variable $name]
    set full [uplevel 1 {namespace current}]::$name
    if {![info exists $full]} {set $full $value}
    return
}

# A script that has deleted ::kafka, and then requires the package again, has deleted what these
# packages had made as well: they are not there any more, whatever Tcl remembers. Where they are
# found it has to remember, for `package forget` forgets that too.
apply {{spaces} {
    foreach {package space} $spaces {
        set version [package provide $package]
        if {$version eq "" || [namespace exists ::kafka::$space]} continue
        set script [package ifneeded $package $version]
        package forget $package
        if {$script ne ""} {package ifneeded $package $version $script}
    }
}} {
    kafka::common common  kafka::oo future  kafka::worker worker  kafka::sync sync
    kafka::json json  kafka::partition partition  kafka::tools tools  kafka::cli cli
}

namespace eval ::kafka {
    # Exactly KafkaTcl's names. (It exported everything in its namespace; a script
    # that imports ::kafka::* must not find its own commands hidden by later ones.)
    namespace export -clear \
        kafka setup brokers setup_producer setup_consumer \
        topic_producer topic_consumer subscriber logger \
        master producer consumer

    # What objects made from now on connect to; -brokers and kafka::brokers set it.
    # Scripts for KafkaTcl read it, and set loggingEnabled to see what is made, so
    # both keep their place and name.
    easy::State brokers 127.0.0.1
    easy::State loggingEnabled 0
}

# Classes come from packages of their own, which the first use of one loads, as Tcl's own
# library does it. (To inherit from a class, require its package: a superclass is
# looked up without that.)
apply {{index} {
    foreach {package commands} $index {
        foreach command $commands {
            set ::auto_index(::kafka::$command) [list package require $package]
        }
    }
}} {
    kafka::tools {tools::ensure_topic tools::reset_offsets tools::lag tools::heroku_config}
    kafka::oo {Producer Consumer Future Client message error_info}
    kafka::worker {Worker}
    kafka::sync {SyncProducer}
    kafka::json {
        json::Producer json::Consumer json::pack_payload json::unpack_payload json::format_ref
        json::format_batch_ref json::calc_ref_latencies json::encode json::decode
        json::consumer_settings json::producer_settings
    }
    kafka::partition {
        PartitionClient StreamConsumer BatchProducer RecordAggregator ControllerClient
    }
}

namespace eval ::kafka::easy {
    # Where the package is, for interpreters in other threads.
    variable folder [file dirname [file dirname [file normalize [info script]]]]
    # Subscribers made by kafka::subscriber that still exist, for teardown.
    State subscribers {}
    # The bootstrap.servers that this interface has left in the master.
    State configured ""
    # Whether a script has named brokers: the default is no reason to configure it.
    State named 0
    # Objects that are to be made anew, by type: the script has set their flag to 0.
    variable anew
    array set anew {}
}

# logger message -- one line on stderr, if ::kafka::loggingEnabled is true.
proc ::kafka::logger {message} {
    variable loggingEnabled
    if {$loggingEnabled} {
        puts stderr "kafka: $message"
    }
    return
}

# setup ?-brokers list? -- make ::kafka::master unless it exists.
proc ::kafka::setup {args} {
    easy::Attempt {
        easy::Options kafka::setup "" $args
        easy::NeedMaster
    }
    return
}

# brokers list -- what to connect to from now on: hosts or host:port, as a list.
# Objects that exist keep the brokers they have.
proc ::kafka::brokers {brokerList} {
    easy::Attempt {
        easy::SetBrokers $brokerList
        easy::NeedMaster
    }
    return
}

# setup_producer ?-brokers list? -- make ::kafka::producer unless it exists.
proc ::kafka::setup_producer {args} {
    easy::Attempt {
        easy::Options kafka::setup_producer "" $args
        easy::NeedHandle producer
    }
    return
}

# setup_consumer ?-brokers list? -- make ::kafka::consumer unless it exists.
proc ::kafka::setup_consumer {args} {
    easy::Attempt {
        easy::Options kafka::setup_consumer "" $args
        easy::NeedHandle consumer
    }
    return
}

# topic_producer command topic -- make a command that produces to topic.
proc ::kafka::topic_producer {command topic} {
    easy::Attempt {
        easy::NeedHandle producer
        ::kafka::producer new_topic $command $topic
    }
}

# topic_consumer command topic -- make a command that consumes from topic.
proc ::kafka::topic_consumer {command topic} {
    easy::Attempt {
        easy::NeedHandle consumer
        ::kafka::consumer new_topic $command $topic
    }
}

# subscriber group ?-brokers list? -- make a subscriber and return its command.
#
# The group and the brokers go into the master's configuration and stay there, as
# they did in KafkaTcl: scripts rely on it that make further objects from
# ::kafka::master without naming them again. Only a failure takes them back.
proc ::kafka::subscriber {group args} {
    variable brokers
    easy::Attempt {
        easy::Options kafka::subscriber group $args
        if {$group eq ""} {
            easy::Invalid "group must not be empty"
        }
        easy::NeedMaster
        set bootstrap [easy::Bootstrap $brokers]
        set subscriber [easy::WithConfig [list \
            group.id $group bootstrap.servers $bootstrap] {
            ::kafka::master subscriber #auto
        }]
        set easy::configured $bootstrap
        easy::Remember $subscriber
        logger "made subscriber $subscriber of group $group with brokers $brokers"
        set subscriber
    }
}

# teardown -- close what this interface has made and forget the brokers.
#
# Closing waits: messages produced are delivered, subscribers commit and leave
# their groups, each within its own bound. Everything is attempted; the first
# error is then thrown. A later call of any command here starts afresh.
proc ::kafka::teardown {} {
    variable brokers
    set failure ""

    # Subscribers and handles before the master: their last events still find the
    # master's callbacks. Topics and queues go with their handles.
    set objects [set easy::subscribers]
    lappend objects ::kafka::consumer ::kafka::producer
    foreach object $objects {
        if {![easy::Exists $object]} {continue}
        if {[catch {$object close} message options]} {
            # Inside one of its own callbacks a close may be refused: delete
            # finishes in the background.
            if {[easy::Exists $object]} {catch {$object delete}}
            if {$failure eq ""} {set failure [list $options $message]}
        }
    }
    if {[easy::Exists ::kafka::master]} {
        ::kafka::master delete
    }
    set brokers 127.0.0.1
    set easy::configured ""
    set easy::named 0
    array unset easy::anew
    logger "torn down"

    if {$failure ne ""} {
        lassign $failure options message
        return -options [dict incr options -level] $message
    }
    return
}

# Exists command -- whether a command of that qualified name exists.
proc ::kafka::easy::Exists {command} {
    expr {[namespace which -command $command] ne ""}
}

# Attempt script -- evaluate script in the caller's frame; if it fails, delete
# those of the three shared objects that it has made, put back the broker list
# and pass the error on as if the caller had thrown it.
proc ::kafka::easy::Attempt {script} {
    variable configured
    variable named
    set before [list $::kafka::brokers $configured $named]
    set missing {}
    foreach object {::kafka::consumer ::kafka::producer ::kafka::master} {
        if {![Exists $object]} {lappend missing $object}
    }
    if {"::kafka::master" ni $missing} {
        set bootstrap [::kafka::master config bootstrap.servers]
    }
    if {[catch {uplevel 1 $script} result options]} {
        foreach object $missing {
            if {[Exists $object]} {catch {$object delete}}
        }
        if {[info exists bootstrap] && [::kafka::master config bootstrap.servers] ne $bootstrap} {
            ::kafka::master config bootstrap.servers $bootstrap
        }
        lassign $before ::kafka::brokers configured named
        # Through this proc and its caller: the error then comes from the line of
        # the script that called the easy interface.
        return -options [dict incr options -level 2] $result
    }
    return $result
}

# Options command fixed words -- take `?-brokers list?` from a command's words.
proc ::kafka::easy::Options {command fixed words} {
    foreach {option value} $words {
        if {$option ne "-brokers"} {
            set near [::kafka::internal nearest $option {-brokers}]
            if {$near ne ""} {set near "; did you mean \"$near\"?"}
            return -code error -errorcode [list TCL LOOKUP INDEX option $option] \
                "bad option \"$option\": must be -brokers$near"
        }
    }
    if {[llength $words] % 2} {
        return -code error -errorcode {TCL WRONGARGS} "wrong # args: should be\
            \"[join [list $command {*}$fixed] " "] ?-brokers list?\""
    }
    foreach {option value} $words {
        SetBrokers $value
    }
}

# SetBrokers list -- check a broker list, then keep it as it was given.
proc ::kafka::easy::SetBrokers {list} {
    Bootstrap $list
    set ::kafka::brokers $list
    variable named 1
    return
}

# Bootstrap list -- a broker list as librdkafka wants it: host:port,host:port. An
# element that has commas already is accepted, since that is how the value of
# bootstrap.servers is usually at hand.
proc ::kafka::easy::Bootstrap {list} {
    if {![string is list $list]} {
        Invalid "brokers is not a list: $list"
    }
    set hosts {}
    foreach element $list {
        foreach host [split $element ", \t\r\n"] {
            if {$host ne ""} {lappend hosts $host}
        }
    }
    if {![llength $hosts]} {
        Invalid "brokers must name at least one host"
    }
    return [join $hosts ,]
}

# NeedMaster -- make ::kafka::master unless it is set up, and let it know the brokers
# that a script has named, so that whatever it makes does. (KafkaTcl's knew
# them from the first kafka::subscriber on.) The script's own stay.
proc ::kafka::easy::NeedMaster {} {
    variable configured
    variable named
    if {![IsSetUp master]} {
        ::kafka::kafka create ::kafka::master
        Made master
        set configured ""
        ::kafka::logger "made ::kafka::master"
    }
    if {$named || $::kafka::brokers ne "127.0.0.1"} {
        set bootstrap [Bootstrap $::kafka::brokers]
        if {[::kafka::master config bootstrap.servers] in [list "" $configured]} {
            ::kafka::master config bootstrap.servers $bootstrap
            set configured $bootstrap
        }
    }
    return
}

# IsSetUp type -- whether the shared object of that type is there to be used.
proc ::kafka::easy::IsSetUp {type} {
    variable anew
    expr {[Exists ::kafka::$type] && ![info exists anew($type)]}
}

# Made type -- the shared object of that type has been made.
proc ::kafka::easy::Made {type} {
    variable anew
    unset -nocomplain anew($type)
}

# Flag type name index operation -- a trace of KafkaTcl's flags.
proc ::kafka::easy::Flag {type name index operation} {
    variable anew
    set flag ::kafka::${type}IsSetup
    if {$operation eq "write"} {
        if {[string is false -strict [set $flag]]} {
            set anew($type) 1
        } else {
            Made $type
        }
    }
    set $flag [IsSetUp $type]
    return
}

# KafkaTcl's flags masterIsSetup, producerIsSetup and consumerIsSetup: 1 while the
# command exists. A script that writes 0 has the next call that needs the object
# make a new one in its place, as there.
apply {{} {
    foreach type {master producer consumer} {
        set flag ::kafka::${type}IsSetup
        # The package may be loaded again.
        if {[info exists $flag]} {continue}
        set $flag 0
        trace add variable $flag {read write} [list ::kafka::easy::Flag $type]
    }
}}

# NeedHandle producer|consumer -- make that handle, connected to the brokers,
# unless it exists.
proc ::kafka::easy::NeedHandle {type} {
    if {[IsSetUp $type]} {return}
    NeedMaster
    variable configured
    set brokers [Bootstrap $::kafka::brokers]
    set before [::kafka::master config bootstrap.servers]
    if {$before in [list "" $configured]} {
        # Only while the handle is made: without any brokers at its creation
        # librdkafka warns, and with the master's older ones it would use both.
        WithConfig [list bootstrap.servers $brokers] {
            ::kafka::master ${type}_creator ::kafka::$type
        }
        ::kafka::master config bootstrap.servers $before
    } else {
        # The script's own, to which KafkaTcl added ours.
        ::kafka::master ${type}_creator ::kafka::$type
        ::kafka::$type add_brokers $brokers
    }
    Made $type
    ::kafka::logger "made ::kafka::$type with brokers $::kafka::brokers"
    return
}

# WithConfig pairs script -- set properties of the master and evaluate script; if
# that fails, put back the values from before.
proc ::kafka::easy::WithConfig {pairs script} {
    # By key: the listing has one name of a property only, not its aliases.
    set before [lmap {key value} $pairs {::kafka::master config $key}]
    ::kafka::master config {*}$pairs
    try {
        uplevel 1 $script
    } on error {message options} {
        # There is no way to unset a property; empty is what an unset one does.
        foreach {key -} $pairs value $before {
            catch {::kafka::master config $key $value}
        }
        return -options $options $message
    }
}

# Remember subscriber -- keep it for teardown, until it is deleted. A name that a
# deleted one has freed may be given to an object that isn't ours.
proc ::kafka::easy::Remember {subscriber} {
    variable subscribers
    lappend subscribers $subscriber
    trace add command $subscriber {rename delete} ::kafka::easy::Moved
}

# Moved old new operation -- a trace: follow a renamed subscriber, drop a deleted.
proc ::kafka::easy::Moved {old new operation} {
    variable subscribers
    set index [lsearch -exact $subscribers $old]
    if {$index < 0} {return}
    if {$new eq ""} {
        set subscribers [lreplace $subscribers $index $index]
    } else {
        lset subscribers $index $new
    }
}

# Refuse code text detail ?flags? -- throw an error in the package's own form.
proc ::kafka::easy::Refuse {code text detail {flags {}}} {
    set message "kafka error: $text"
    if {$detail ne ""} {
        append message " ($detail)"
    }
    return -code error -errorcode [list KAFKA $code $text $detail $flags] $message
}

# Invalid detail -- throw an invalid argument.
proc ::kafka::easy::Invalid {detail} {
    Refuse RD_KAFKA_RESP_ERR__INVALID_ARG "Local: Invalid argument or configuration" $detail
}

uplevel #0 [list source -encoding utf-8 [file join [file dirname [info script]] ends.tcl]]
uplevel #0 [list source -encoding utf-8 [file join [file dirname [info script]] await.tcl]]
# After all that has procedures here: see own.tcl.
uplevel #0 [list source -encoding utf-8 [file join [file dirname [info script]] own.tcl]]
