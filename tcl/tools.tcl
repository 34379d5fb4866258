# tools.tcl -- package kafka::tools: what programs do to a cluster before and beside
# their work.
#
#     package require kafka::tools
#     kafka::brokers {kafka1:9092 kafka2:9092}
#     kafka::tools::ensure_topic flights -partitions 6 -config {retention.ms 86400000}
#     kafka::tools::reset_offsets billing flights -to {timestamp 1700000000000} -dry_run 1
#     kafka::tools::lag billing
#     $kafka config {*}[kafka::tools::heroku_config]
#
# The commands work through an admin object: that of -admin, else one of their own,
# made from ::kafka::master (the easy interface) for the length of the call.

package require Tcl 8.6-
package require kafka
package require kafka::common

namespace eval ::kafka::tools {}

# ensure_topic name ?-partitions n? ?-replication n? ?-config dict? ?-admin cmd?
# ?-timeout ms? -- make a topic, or check that the existing one has as many partitions
# and replicas and these values; what is not given may be anything. Gives `created` or
# `exists`. One that does not fit throws {KAFKA MISFIT TEXT DETAIL {}}, DETAIL a dict:
# property -> {wanted have}. When it returns, each partition has a leader.
proc ::kafka::tools::ensure_topic {name args} {
    Options "kafka::tools::ensure_topic name" $args {
        -partitions {} -replication {} -config {} -admin {} -timeout 30000
    }
    foreach option {-partitions -replication} {
        if {$($option) ne "" && (![string is integer -strict $($option)] || $($option) < 1)} {
            Bad "expected a number of 1 or more for $option but got \"$($option)\""
        }
    }
    if {![string is list $(-config)] || [llength $(-config)] % 2} {Bad "-config is no dict"}
    With admin $(-admin) {
        set end [End $(-timeout)]
        set result exists
        set found [Describe $admin $name $end]
        if {$found eq ""} {
            set words [list create_topic $name -config $(-config)]
            foreach option {-partitions -replication} {
                if {$($option) ne ""} {lappend words $option $($option)}
            }
            try {
                $admin {*}$words -timeout [Left $end]
                set result created
            } trap {KAFKA RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS} {} {
                # Somebody else was quicker; theirs has to fit.
            }
            # The controller has it; the brokers learn of it a moment later.
            while {[set found [Describe $admin $name $end]] eq "" || ![Led $found]} {
                if {[Left $end] == 0} {
                    Fail RD_KAFKA_RESP_ERR__TIMED_OUT {Local: Timed out} \
                        "topic $name has no leaders after $(-timeout) ms"
                }
                after 20
            }
        }
        if {$result eq "exists"} {
            Fits $admin $name $found [array get {}] $end
        }
    }
    return $result
}

# Describe admin topic end -- its description, or "" when there is none.
proc ::kafka::tools::Describe {admin topic end} {
    try {
        return [dict get [$admin describe_topics -timeout [Left $end] -- $topic] $topic]
    } trap {KAFKA RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART} {} {
        return
    }
}

# Led description -- whether each partition has a leader.
proc ::kafka::tools::Led {description} {
    dict for {partition place} [dict get $description partitions] {
        if {[dict get $place leader] < 0} {return 0}
    }
    return 1
}

# Fits admin topic description options end -- throw unless the topic is as wanted.
proc ::kafka::tools::Fits {admin topic description options end} {
    set misfits {}
    set partitions [dict get $description partitions]
    set wanted [dict get $options -partitions]
    if {$wanted ne "" && $wanted != [dict size $partitions]} {
        dict set misfits partitions [list $wanted [dict size $partitions]]
    }
    set wanted [dict get $options -replication]
    if {$wanted ne ""} {
        dict for {partition place} $partitions {
            set have [llength [dict get $place replicas]]
            if {$have != $wanted} {dict set misfits replication [list $wanted $have]}
        }
    }
    if {[dict size [dict get $options -config]]} {
        set config [dict get [$admin describe_configs topic -timeout [Left $end] -- $topic] $topic]
        dict for {key wanted} [dict get $options -config] {
            if {![dict exists $config $key]} {
                dict set misfits $key [list $wanted {}]
                continue
            }
            # A sensitive value is not told, so it can't be compared.
            if {[dict get $config $key sensitive]} {continue}
            set have ""
            if {[dict exists $config $key value]} {set have [dict get $config $key value]}
            if {$have ne $wanted} {dict set misfits $key [list $wanted $have]}
        }
    }
    if {[dict size $misfits]} {
        set said {}
        dict for {key pair} $misfits {
            lappend said "$key should be [lindex $pair 0], is [lindex $pair 1]"
        }
        Fail MISFIT "topic $topic is not as wanted" [join $said {; }] $misfits
    }
}

# reset_offsets group topic -to where ?-partitions list? ?-dry_run b? ?-admin cmd?
# ?-timeout ms? -- set where the group goes on reading: `earliest`, `latest`,
# `{timestamp MS}` (the first message at or after it), `{offset N}` or `{shift N}` (from
# where it is; negative is back). Places outside of what the topic has become its first
# or its end. Gives a dict from {topic partition} to `from to` (`from` is `invalid` where
# nothing was committed). With -dry_run 1 nothing is changed. Nobody may be reading.
proc ::kafka::tools::reset_offsets {group topic args} {
    Options "kafka::tools::reset_offsets group topic" $args {
        -to {} -partitions {} -dry_run 0 -admin {} -timeout 30000
    }
    if {![string is boolean -strict $(-dry_run)]} {
        Bad "expected a boolean for -dry_run but got \"$(-dry_run)\""
    }
    lassign [Where $(-to)] kind number
    if {![string is list $(-partitions)]} {
        Bad "expected a list for -partitions but got \"$(-partitions)\""
    }
    foreach partition $(-partitions) {
        if {![string is integer -strict $partition] || $partition < 0} {
            Bad "expected a number of 0 or more for -partitions but got \"$partition\""
        }
    }
    With admin $(-admin) {
        set end [End $(-timeout)]
        if {!$(-dry_run)} {Idle $admin $group $end}
        set partitions $(-partitions)
        if {![llength $partitions]} {
            set found [$admin describe_topics -timeout [Left $end] -- $topic]
            set partitions [dict keys [dict get $found $topic partitions]]
        }
        set places [lmap p [lsort -integer -unique $partitions] {list $topic $p}]
        set plan [Plan $admin $group $places $kind $number $end]
        if {!$(-dry_run)} {
            set offsets {}
            dict for {place move} $plan {lappend offsets [list {*}$place [dict get $move to]]}
            $admin alter_group_offsets $group -timeout [Left $end] -- {*}$offsets
        }
    }
    return $plan
}

# Where to -- kind and number of a -to.
proc ::kafka::tools::Where {to} {
    set form {earliest, latest, {timestamp MS}, {offset N} or {shift N}}
    if {![string is list $to]} {Bad "expected $form for -to but got \"$to\""}
    lassign $to kind number
    set alone [expr {$kind in {earliest latest} && [llength $to] == 1}]
    set pair [expr {$kind in {timestamp offset shift} && [llength $to] == 2
        && [string is entier -strict $number] && ($number >= 0 || $kind eq "shift")}]
    if {!$alone && !$pair} {Bad "expected $form for -to but got \"$to\""}
    return [list $kind $number]
}

# Idle admin group end -- throw if somebody is reading: the broker would refuse with no
# more than that it does not know the member.
proc ::kafka::tools::Idle {admin group end} {
    set found [dict get [$admin describe_groups -timeout [Left $end] -- $group] $group]
    set members [llength [dict get $found members]]
    if {$members} {
        Fail RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP {Broker: The group is not empty} \
            "group $group is [dict get $found state] with $members member(s): stop them first"
    }
}

# Plan admin group places kind number end -- {topic partition} -> from to.
proc ::kafka::tools::Plan {admin group places kind number end} {
    foreach spec {earliest latest} {
        set specs [lmap place $places {list {*}$place $spec}]
        set $spec [$admin list_offsets -timeout [Left $end] -- {*}$specs]
    }
    if {$kind eq "timestamp"} {
        set specs [lmap place $places {list {*}$place $number}]
        set timed [$admin list_offsets -timeout [Left $end] -- {*}$specs]
    }
    set plan {}
    foreach tp [$admin list_group_offsets $group -timeout [Left $end] -- {*}$places] {
        set place [lrange $tp 0 1]
        set from [lindex $tp 2]
        set low [dict get $earliest $place offset]
        set high [dict get $latest $place offset]
        switch -- $kind {
            earliest {set to $low}
            latest {set to $high}
            offset {set to $number}
            timestamp {
                set to [dict get $timed $place offset]
                if {$to eq "end"} {set to $high}
            }
            shift {
                if {$from eq "invalid"} {
                    Fail RD_KAFKA_RESP_ERR__NO_OFFSET {Local: No offset stored} \
                        "group $group has nothing committed for topic [lindex $place 0]\
                         partition [lindex $place 1], so there is nothing to shift"
                }
                set to [expr {$from + $number}]
            }
        }
        dict set plan $place [dict create from $from to [expr {min(max($to, $low), $high)}]]
    }
    return $plan
}

# lag group ?-admin cmd? ?-timeout ms? -- how far the group is behind: a dict from
# {topic partition} to `offset end lag ?member_id client_id host?`, of all partitions
# that have a committed offset or a reader. Where nothing is committed, `offset` is
# `invalid` and all messages that there are count; deleted ones never do. A partition that is gone has `error`,
# its code, instead of `end` and `lag`.
proc ::kafka::tools::lag {group args} {
    Options "kafka::tools::lag group" $args {-admin {} -timeout 30000}
    With admin $(-admin) {
        set end [End $(-timeout)]
        set committed {}
        foreach tp [$admin list_group_offsets $group -timeout [Left $end]] {
            dict set committed [lrange $tp 0 1] [lindex $tp 2]
        }
        set readers {}
        set found [dict get [$admin describe_groups -timeout [Left $end] -- $group] $group]
        foreach member [dict get $found members] {
            foreach place [dict get $member assignment] {
                foreach key {member_id client_id host} {
                    dict set readers $place $key [dict get $member $key]
                }
                if {![dict exists $committed $place]} {dict set committed $place invalid}
            }
        }
        set places [lsort -index 0 [lsort -integer -index 1 [dict keys $committed]]]
        set latest [Known $admin $places latest $end]
        set earliest [Known $admin $places earliest $end]
        set result {}
        foreach place $places {
            set offset [dict get $committed $place]
            set row [dict create offset $offset]
            set last [dict get $latest $place]
            if {[dict exists $last error]} {
                dict set row error [dict get $last code]
            } else {
                set high [dict get $last offset]
                set low $high
                if {[dict exists $earliest $place offset]} {
                    set low [dict get $earliest $place offset]
                }
                # What was deleted is not to come any more.
                set from [expr {$offset eq "invalid" ? $low : max($low, $offset)}]
                dict set row end $high
                dict set row lag [expr {max(0, $high - $from)}]
            }
            if {[dict exists $readers $place]} {set row [dict merge $row [dict get $readers $place]]}
            dict set result $place $row
        }
    }
    return $result
}

# Known admin places spec end -- {topic partition} -> `offset ...`, or an error dict.
proc ::kafka::tools::Known {admin places spec end} {
    if {![llength $places]} {return}
    try {
        return [$admin list_offsets -timeout [Left $end] -- \
            {*}[lmap place $places {list {*}$place $spec}]]
    } trap {KAFKA PARTIAL} {- options} {
        set detail [lindex [dict get $options -errorcode] 4]
        return [dict merge [dict get $detail ok] [dict get $detail failed]]
    } trap {KAFKA RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION} {- options} {
        set code [lindex [dict get $options -errorcode] 1]
    } trap {KAFKA RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART} {- options} {
        set code [lindex [dict get $options -errorcode] 1]
    }
    # All of them are gone.
    set result {}
    foreach place $places {dict set result $place [dict create error $code code $code message ""]}
    return $result
}

# heroku_config ?env? -- the configuration dict for a Heroku Kafka add-on, from the
# environment (or from a dict in its place): KAFKA_URL (kafka:// or kafka+ssl://, several
# with commas), and with kafka+ssl KAFKA_TRUSTED_CERT, KAFKA_CLIENT_CERT and
# KAFKA_CLIENT_CERT_KEY, which are PEM texts and stay in memory. Heroku's brokers go by
# addresses that their certificates don't have: only the CA is checked, not the name.
# No error shows a value: they are secrets.
proc ::kafka::tools::heroku_config {args} {
    if {[llength $args] > 1} {
        return -code error -errorcode {TCL WRONGARGS} \
            {wrong # args: should be "kafka::tools::heroku_config ?env?"}
    }
    if {[llength $args]} {
        set env [lindex $args 0]
        if {![string is list $env] || [llength $env] % 2} {Bad "env is no dict"}
    } else {
        set env [array get ::env]
    }
    set hosts {}
    set schemes {}
    set n 0
    foreach url [split [Variable $env KAFKA_URL] ,] {
        incr n
        set url [string trim $url]
        if {![regexp {^(kafka|kafka\+ssl)://([^\s/:@\[\]]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?/?$} \
                $url - scheme host port]} {
            Bad "KAFKA_URL: entry $n is no kafka://host:port or kafka+ssl://host:port"
        }
        if {$port eq ""} {set port [expr {$scheme eq "kafka" ? 9092 : 9096}]}
        if {[scan $port %d] < 1 || [scan $port %d] > 65535} {
            Bad "KAFKA_URL: entry $n has a port that is not from 1 to 65535"
        }
        if {$scheme ni $schemes} {lappend schemes $scheme}
        lappend hosts $host:$port
    }
    if {[llength $schemes] > 1} {Bad "KAFKA_URL mixes kafka:// and kafka+ssl://"}
    set config [dict create bootstrap.servers [join $hosts ,]]
    if {$schemes eq "kafka"} {return $config}
    dict set config security.protocol ssl
    foreach {name key kind} {
        KAFKA_TRUSTED_CERT    ssl.ca.pem          CERTIFICATE
        KAFKA_CLIENT_CERT     ssl.certificate.pem CERTIFICATE
        KAFKA_CLIENT_CERT_KEY ssl.key.pem         {PRIVATE KEY}
    } {
        # Files of variables often have \n for the ends of lines.
        set pem [string map [list \\n \n] [Variable $env $name]]
        if {![regexp -- "-----BEGIN (\[A-Z\]+ )*$kind-----.*-----END (\[A-Z\]+ )*$kind-----" $pem]} {
            Bad "$name is no [string tolower $kind] in PEM form"
        }
        dict set config $key [string trim $pem]\n
    }
    dict set config ssl.endpoint.identification.algorithm none
    return $config
}

# Variable env name -- its value; a missing or empty one is an error.
proc ::kafka::tools::Variable {env name} {
    if {![dict exists $env $name] || [string trim [dict get $env $name]] eq ""} {
        Bad "$name is not set in the environment"
    }
    return [dict get $env $name]
}

# ---------------------------------------------------------------- what they share

# Options call words defaults -- the caller's options, in its array with the empty name.
proc ::kafka::tools::Options {call words defaults} {
    upvar 1 {} options
    array set options $defaults
    set names [dict keys $defaults]
    foreach {option value} $words {
        if {$option ni $names} {
            set text "bad option \"$option\": must be [join [lrange $names 0 end-1] {, }]"
            append text [expr {[llength $names] > 2 ? "," : ""}] " or [lindex $names end]"
            append text [::kafka::common::Near $option $names]
            return -code error -level 2 -errorcode [list TCL LOOKUP INDEX option $option] $text
        }
        set options($option) $value
    }
    if {[llength $words] % 2} {
        set synopsis [lmap name $names {string cat ? $name " value?"}]
        return -code error -level 2 -errorcode {TCL WRONGARGS} \
            "wrong # args: should be \"[join [list $call {*}$synopsis]]\""
    }
    if {[dict exists $defaults -timeout] && (![string is integer -strict $options(-timeout)]
            || $options(-timeout) < -1)} {
        return -code error -level 2 -errorcode {TCL VALUE} "expected milliseconds (-1 waits\
            without limit) for -timeout but got \"$options(-timeout)\""
    }
}

# Bad text -- throw: a word of the caller's is wrong.
proc ::kafka::tools::Bad {text} {
    return -code error -level 2 -errorcode {TCL VALUE} $text
}

# Fail code text said ?detail? -- throw an error of the package's form.
proc ::kafka::tools::Fail {code text said {detail ""}} {
    if {$detail eq ""} {set detail $said}
    return -code error -level 2 -errorcode [list KAFKA $code $text $detail {}] \
        "kafka error: $text ($said)"
}

# With variable admin script -- run a script of the caller's with an admin: the one given,
# or one that is made for it.
proc ::kafka::tools::With {variable given script} {
    upvar 1 $variable admin
    set admin $given
    if {$given eq ""} {
        set admin [MakeAdmin]
    } elseif {[::kafka::common::Gone $given]} {
        return -code error -level 2 -errorcode {TCL VALUE} \
            "expected an admin object for -admin but got \"$given\""
    }
    try {
        uplevel 1 $script
    } finally {
        if {$given eq "" && [info commands $admin] ne ""} {$admin delete}
    }
}

# MakeAdmin -- an admin of ::kafka::master for the brokers of the easy interface, unless
# the script has given the master some of its own.
proc ::kafka::tools::MakeAdmin {} {
    ::kafka::easy::NeedMaster
    set before [::kafka::master config bootstrap.servers]
    if {$before ni [list "" $::kafka::easy::configured]} {
        return [::kafka::master admin #auto]
    }
    set brokers [::kafka::easy::Bootstrap $::kafka::brokers]
    set admin [::kafka::easy::WithConfig [list bootstrap.servers $brokers] {
        ::kafka::master admin #auto
    }]
    ::kafka::master config bootstrap.servers $before
    return $admin
}

# End timeout -- when the time is over, -1 for never.
proc ::kafka::tools::End {timeout} {
    expr {$timeout < 0 ? -1 : [clock milliseconds] + $timeout}
}

# Left end -- what is left of it.
proc ::kafka::tools::Left {end} {
    expr {$end < 0 ? -1 : max(0, $end - [clock milliseconds])}
}

::kafka::easy::Guard
package provide kafka::tools [package require kafka]
