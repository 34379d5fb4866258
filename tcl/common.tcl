# common.tcl -- what the script-level classes share: options, clients, errors.
#
# No contract: scripts use the classes.

package require Tcl 8.6-
package require TclOO
package require kafka

namespace eval ::kafka::common {
    # What every class takes that makes a client.
    variable clientOptions {
        -brokers          {} list
        -conf             {} dict
        -heroku_kafka_env 0  bool
        -logger           {} list
    }
    # What those take beside it that are made after Kaffe.
    variable securityOptions {
        -sasl {} dict
        -ssl  0  bool
    }
}

# Near word names -- what an error adds for a word that is nearly one of the names.
proc ::kafka::common::Near {word names} {
    set near [::kafka::internal nearest $word $names]
    if {$near eq ""} return
    return "; did you mean \"$near\"?"
}

# What all classes stand on: a method that there is not is answered as the plain commands answer a
# subcommand that there is not, with the nearest one behind what TclOO says.
if {![info object isa class ::kafka::common::Named]} {
    ::oo::class create ::kafka::common::Named
}
::oo::define ::kafka::common::Named {
    method unknown {args} {
        if {![llength $args]} {
            return -code error -errorcode {TCL WRONGARGS} \
                "wrong # args: should be \"[list [lindex [info level 0] 0]] method ?arg ...?\""
        }
        if {[catch {next {*}$args} message options] != 1} {
            return -options [::tcl::dict::incr options -level] $message
        }
        # Those in capitals are for the package's other classes, not for scripts.
        append message [::kafka::common::Near [lindex $args 0] \
            [lsearch -all -inline -not -glob [info object methods [self] -all] {[A-Z]*}]]
        return -code error -errorcode [::tcl::dict::get $options -errorcode] $message
    }
    unexport unknown
}

# Class name script -- a class by its definition. One that is there is defined anew, and its objects
# live on: a package may be forgotten and required again.
proc ::kafka::common::Class {name script} {
    if {[info object isa class $name]} {
        uplevel #0 [list ::oo::define $name $script]
    } else {
        uplevel #0 [list ::oo::class create $name $script]
    }
    if {[info class superclasses $name] eq "::oo::object"} {
        ::oo::define $name superclass ::kafka::common::Named
    }
    # For the methods of the class itself: create and new.
    ::oo::objdefine $name mixin ::kafka::common::Named
    # Methods look into the object's namespace: see own.tcl. On the first line, as errors tell lines.
    lassign [info class constructor $name] arguments body
    if {$body ne ""} {
        ::oo::define $name constructor $arguments \
            "::tcl::namespace::path {::kafka::own ::oo::Helpers};$body"
    }
    return
}

# Over -- in a method: whether the object has been destroyed since the method began. What ran during a wait (a
# signal's handler, a callback) may have done that. Tcl 8.6 crashes when such a method then looks for one of
# the object's variables by name, as uplevel and `lappend name {*}...` do.
proc ::kafka::common::Over {} {
    expr {[namespace which -command [uplevel 1 ::tcl::namespace::current]::my] eq ""}
}

# Stays -- in a method, after it has waited: throw if the object has been destroyed meanwhile.
proc ::kafka::common::Stays {} {
    if {[uplevel 1 ::kafka::common::Over]} {
        return -code error -level 2 -errorcode {KAFKA CLOSED {the client is closed} {} {}} \
            "kafka error: the client is closed"
    }
}

# Parts name ?name ...? -- the other files of a package, from its first one.
proc ::kafka::common::Parts {args} {
    set dir [file dirname [file normalize [info script]]]
    foreach name $args {
        set file [file join $dir $name.tcl]
        if {[catch {uplevel #0 [list source -encoding utf-8 $file]} result options]} {
            if {![file exists $file]} {
                append result " (package kafka was found there; its folder has been moved or\
                    deleted since)"
            }
            return -options [dict incr options -level] $result
        }
    }
}

# ---------------------------------------------------------------- arguments

# Bad text ?word ...? -- throw: a value is not what it should be.
proc ::kafka::common::Bad {text} {
    return -code error -level 2 -errorcode {TCL VALUE} $text
}

# Is kind value -- "" if the value is of that kind, else what was expected.
proc ::kafka::common::Is {kind value} {
    switch -- [lindex $kind 0] {
        any {return}
        bool {
            if {![string is boolean -strict $value]} {return "a boolean"}
        }
        int {
            # int low ?high?
            lassign $kind - low high
            set words "an integer of at least $low"
            if {$high ne ""} {set words "an integer from $low to $high"}
            if {![string is entier -strict $value] || $value < $low
                    || ($high ne "" && $value > $high)} {
                return $words
            }
        }
        ms {
            if {![string is entier -strict $value] || $value < -1} {
                return "milliseconds (-1 waits without limit)"
            }
        }
        name {
            if {$value eq ""} {return "a name"}
        }
        list {
            if {![string is list $value]} {return "a list"}
        }
        dict {
            if {![string is list $value] || [llength $value] % 2} {return "a dict"}
        }
        prefix {
            if {![string is list $value]} {return "a command prefix"}
        }
        command {
            if {![string is list $value] || ![llength $value]} {return "a command prefix"}
        }
        pair {
            if {![string is list $value] || [llength $value] ni {0 2}} {
                return "a pair of command prefixes, {serializer deserializer}"
            }
            foreach prefix $value {
                if {![string is list $prefix]} {
                    return "a pair of command prefixes, {serializer deserializer}"
                }
            }
        }
        one {
            set words [lrange $kind 1 end]
            if {$value ni $words} {return [Or $words]}
        }
    }
    return
}

# Or words -- a, b, or c
proc ::kafka::common::Or {words} {
    if {[llength $words] < 3} {return [join $words " or "]}
    return "[join [lrange $words 0 end-1] {, }], or [lindex $words end]"
}

# Check name kind value -- throw unless the value is of that kind.
proc ::kafka::common::Check {name kind value} {
    set expected [Is $kind $value]
    if {$expected ne ""} {
        return -code error -level 2 -errorcode {TCL VALUE} \
            "expected $expected for $name but got \"$value\""
    }
    return
}

# Options spec words -- spec is -name default kind ...; give dict -name -> value. A
# default of `!` has to be given.
proc ::kafka::common::Options {spec words} {
    set missing {}
    foreach {name default kind} $spec {
        dict set result $name $default
        dict set kinds $name $kind
        if {$default eq "!"} {lappend missing $name}
    }
    foreach {name value} $words {
        if {![dict exists $kinds $name]} {
            return -code error -level 2 -errorcode [list TCL LOOKUP INDEX option $name] \
                "bad option \"$name\": must be [Or [lsort [dict keys $kinds]]][Near $name [dict keys $kinds]]"
        }
        if {[llength $words] % 2 && $name eq [lindex $words end]} {
            return -code error -level 2 -errorcode {TCL WRONGARGS} "value for \"$name\" missing"
        }
        set expected [Is [dict get $kinds $name] $value]
        if {$expected ne ""} {
            return -code error -level 2 -errorcode {TCL VALUE} \
                "expected $expected for $name but got \"$value\""
        }
        dict set result $name $value
    }
    foreach name $missing {
        if {![dict exists $words $name]} {
            return -code error -level 2 -errorcode {TCL WRONGARGS} "option $name has to be given"
        }
    }
    return $result
}

# Tps list -- check a list of {topic partition ?...?}; one alone is taken as well, and a dict {topic partition} ->
# offset or {offset metadata}, as positions, committed and their like give it.
proc ::kafka::common::Tps {list} {
    if {![string is list $list]} {
        return -code error -level 2 -errorcode {TCL VALUE} \
            "expected a list of {topic partition} but got \"$list\""
    }
    if {[set tps [OfDict $list]] ne ""} {return $tps}
    if {[llength $list] >= 2 && [string is entier -strict [lindex $list 1]] && ![IsPair [lindex $list 0]]} {
        set list [list $list]
    }
    foreach tp $list {
        if {![string is list $tp] || [llength $tp] < 2
                || ![string is entier -strict [lindex $tp 1]]} {
            return -code error -level 2 -errorcode {TCL VALUE} \
                "expected a list of {topic partition} but got \"$list\""
        }
    }
    return $list
}

# IsPair word -- whether it is {topic partition}.
proc ::kafka::common::IsPair {word} {
    expr {[string is list $word] && [llength $word] == 2 && [string is entier -strict [lindex $word 1]]}
}

# OfDict dict -- the topic-partitions of a dict {topic partition} -> offset or {offset metadata}; empty if it is none.
# (Where all metadata are numbers it might as well be a list of topic-partitions, which it is taken for.)
proc ::kafka::common::OfDict {dict} {
    if {[llength $dict] % 2} return
    set tps {}
    foreach {tp place} $dict {
        if {![IsPair $tp] || [IsPair $place] || ![string is list $place] || [llength $place] > 2} return
        lassign $place offset metadata
        if {$offset eq ""} {
            set offset invalid
        } elseif {![string is entier -strict $offset] && $offset ni {beginning end stored invalid}} {
            return
        }
        set row [list {*}$tp $offset]
        if {$metadata ne ""} {lappend row $metadata}
        lappend tps $row
    }
    return $tps
}

# ---------------------------------------------------------------- clients

# Master options defaults -- a master of its own for a client, from -conf, -brokers and
# -heroku_kafka_env, in this order of precedence. -logger is what the master's `logger` takes.
proc ::kafka::common::Master {options {defaults {}}} {
    set conf $defaults
    if {[dict get $options -heroku_kafka_env]} {
        package require kafka::tools
        set conf [dict merge $conf [::kafka::tools::heroku_config]]
    }
    if {[llength [dict get $options -brokers]]} {
        dict set conf bootstrap.servers [::kafka::easy::Bootstrap [dict get $options -brokers]]
    }
    if {[dict exists $options -sasl]} {
        set conf [dict merge $conf [Security [dict get $options -sasl] [dict get $options -ssl]]]
    }
    set conf [dict merge $conf [dict get $options -conf]]
    if {![dict exists $conf bootstrap.servers] && ![dict exists $conf metadata.broker.list]} {
        return -code error -level 2 -errorcode {TCL WRONGARGS} "no brokers: give -brokers,\
            or bootstrap.servers in -conf, or -heroku_kafka_env 1"
    }
    set master [Absolute [::kafka::kafka create #auto]]
    try {
        $master config {*}$conf
        if {[llength [dict get $options -logger]]} {
            $master logger {*}[dict get $options -logger]
        }
    } on error {message problem} {
        $master delete
        return -options [dict incr problem -level] $message
    }
    return $master
}

# Security sasl ssl -- configuration out of -sasl {mechanism M login L password P} and -ssl.
proc ::kafka::common::Security {sasl ssl} {
    set mechanisms {plain PLAIN scram_sha_256 SCRAM-SHA-256 scram_sha_512 SCRAM-SHA-512}
    if {![llength $sasl]} {
        return [expr {$ssl ? {security.protocol ssl} : {}}]
    }
    foreach key {mechanism login password} {
        if {![dict exists $sasl $key]} {
            return -code error -level 3 -errorcode {TCL VALUE} \
                "expected a dict with mechanism, login and password for -sasl: there is no $key"
        }
    }
    foreach key [dict keys $sasl] {
        if {$key ni {mechanism login password}} {
            return -code error -level 3 -errorcode {TCL VALUE} \
                "expected a dict with mechanism, login and password for -sasl: \"$key\" is none"
        }
    }
    set mechanism [dict get $sasl mechanism]
    if {![dict exists $mechanisms $mechanism]} {
        return -code error -level 3 -errorcode {TCL VALUE} \
            "expected [Or [dict keys $mechanisms]] for the mechanism of -sasl but got \"$mechanism\""
    }
    return [list security.protocol [expr {$ssl ? "sasl_ssl" : "sasl_plaintext"}] \
        sasl.mechanism [dict get $mechanisms $mechanism] \
        sasl.username [dict get $sasl login] sasl.password [dict get $sasl password]]
}

# Handle master kind -- a producer, consumer or subscriber of a master, which is not
# needed after it: handles keep what they were made with.
proc ::kafka::common::Handle {master kind} {
    try {
        switch -- $kind {
            producer {Absolute [$master producer_creator #auto]}
            consumer {Absolute [$master consumer_creator #auto]}
            subscriber {Absolute [$master subscriber #auto]}
        }
    } finally {
        $master delete
    }
}

proc ::kafka::common::Absolute {name} {
    return ::[string trimleft $name :]
}

# Gone command -- whether an object has been deleted.
proc ::kafka::common::Gone {command} {
    expr {[namespace which -command $command] eq ""}
}

# Background message options -- have the background error handler called with an error,
# when the loop next turns.
proc ::kafka::common::Background {message options} {
    # By no procedure of the package: its namespace may be deleted before.
    after 0 [list ::return -options [dict merge $options {-code 1 -level 0}] $message]
    return
}

# Refuse code text detail -- throw in the package's own form.
proc ::kafka::common::Refuse {code text detail} {
    ::kafka::easy::Refuse $code $text $detail
}

proc ::kafka::common::Now {} {clock milliseconds}

# Deadline ms -- the time at which ms are over; empty for never.
proc ::kafka::common::Deadline {ms} {
    if {$ms < 0} {return ""}
    return [expr {[clock milliseconds] + $ms}]
}

# Left deadline -- the milliseconds until then, -1 for no end, never less than 0.
proc ::kafka::common::Left {deadline} {
    if {$deadline eq ""} {return -1}
    return [expr {max(0, $deadline - [clock milliseconds])}]
}

::kafka::easy::Guard
package provide kafka::common [package require kafka]
