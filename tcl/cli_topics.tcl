# cli_topics.tcl -- part of kafka::cli: kafkat create, delete, describe and config.

proc ::kafka::cli::Do.create {options topics} {
    if {![llength $topics]} {Usage "no topic: give the names of those to make"}
    set words {}
    foreach {option name} {-p -partitions -r -replication} {
        set number [Number $options $option 1]
        if {$number ne ""} {lappend words $name $number}
    }
    set config [Pairs $options -c]
    lappend words -config $config -timeout [Wait $options 30]
    set dry [dict exists $options -dry-run]
    set ensure [dict exists $options -ensure]
    if {$dry && $ensure} {Usage "-dry-run and -ensure exclude each other"}
    WithAdmin admin $options {
        foreach topic $topics {
            if {$ensure} {
                set result [::kafka::tools::ensure_topic $topic -admin $admin {*}$words]
            } else {
                $admin create_topic $topic {*}$words -validate_only $dry
                set result [expr {$dry ? "could be created" : "created"}]
            }
            Say "$topic: $result\n"
            Flush
        }
    }
}

proc ::kafka::cli::Do.delete {options topics} {
    set groups [Opt $options -G]
    if {![llength $topics] && ![llength $groups]} {Usage "nothing to delete: give topics, or -G GROUP"}
    WithAdmin admin $options {
        foreach {call names} [list delete_topic $topics delete_groups $groups] {
            if {![llength $names]} {continue}
            EachOf $names {deleted} {
                $admin $call -timeout [Wait $options 30] -- {*}$names
            }
        }
    }
}

# EachOf names done script -- run a call of the caller's about several things; say which were done and throw
# which were not.
proc ::kafka::cli::EachOf {names done script} {
    set failed {}
    try {
        uplevel 1 $script
    } trap {KAFKA PARTIAL} {- problem} {
        set detail [lindex [dict get $problem -errorcode] 4]
        set failed [dict get $detail failed]
    }
    foreach name $names {
        if {![dict exists $failed $name]} {Say "$name: $done\n"}
    }
    set said [lmap {name error} $failed {string cat "$name: [ErrorWords $error]"}]
    if {[llength $said]} {Fail [join $said "; "]}
}

# ---------------------------------------------------------------- describe

proc ::kafka::cli::Do.describe {options words} {
    set names [lassign $words kind]
    set kinds {topic broker group cluster}
    if {$kind ni $kinds} {Usage "say of what first: [::kafka::common::Or $kinds]"}
    if {$kind eq "cluster"} {
        if {[llength $names]} {Usage "there is one cluster: no names"}
    } elseif {![llength $names]} {
        Usage "no $kind: give names"
    }
    if {$kind eq "broker" && [lsearch -not -regexp $names {^\d{1,9}$}] >= 0} {
        Usage "brokers go by their ids, such as 1"
    }
    WithAdmin admin $options {
        Describe.$kind $admin $options $names
    }
}

proc ::kafka::cli::Describe.cluster {admin options names} {
    set found [$admin describe_cluster -timeout [Wait $options 30]]
    if {[dict exists $options -J]} {
        set brokers [lmap broker [dict get $found brokers] {
            JsonDict $broker id number host text port number rack text
        }]
        Put [JsonObject cluster_id [JsonText [dict get $found cluster_id]] \
            controller [dict get $found controller] brokers [JsonList $brokers]]\n
        return
    }
    Say "cluster [dict get $found cluster_id], controller [dict get $found controller]\n"
    Table {>BROKER HOST >PORT RACK} [lmap broker [dict get $found brokers] {
        set rack ""
        if {[dict exists $broker rack]} {set rack [dict get $broker rack]}
        list [dict get $broker id] [dict get $broker host] [dict get $broker port] $rack
    }]
}

proc ::kafka::cli::Describe.topic {admin options topics} {
    set timeout [Wait $options 30]
    set found [$admin describe_topics -timeout $timeout -- {*}$topics]
    set settings [$admin describe_configs topic -timeout $timeout -- {*}$topics]
    foreach topic $topics {
        set config [Settings $options [dict get $settings $topic]]
        set partitions [dict get $found $topic partitions]
        if {[dict exists $options -J]} {
            set list {}
            dict for {partition place} $partitions {
                lappend list [JsonObject partition $partition \
                    {*}[JsonFields $place leader number replicas list isr list]]
            }
            Put [JsonObject topic [JsonText $topic] topic_id [JsonText [dict get $found $topic topic_id]] \
                partitions [JsonList $list] config [SettingsJson $config]]\n
            continue
        }
        Say "topic $topic, [dict size $partitions] partitions\n"
        set rows {}
        dict for {partition place} $partitions {
            lappend rows [list $partition [dict get $place leader] [join [dict get $place replicas] ,] \
                [join [dict get $place isr] ,]]
        }
        Table {>PARTITION >LEADER REPLICAS ISR} $rows
        SettingsText $config
    }
}

proc ::kafka::cli::Describe.broker {admin options brokers} {
    set found [$admin describe_configs broker -timeout [Wait $options 30] -- {*}$brokers]
    foreach broker $brokers {
        set config [Settings $options [dict get $found $broker]]
        if {[dict exists $options -J]} {
            Put [JsonObject broker $broker config [SettingsJson $config]]\n
            continue
        }
        Say "broker $broker\n"
        SettingsText $config
    }
}

proc ::kafka::cli::Describe.group {admin options groups} {
    set found [$admin describe_groups -timeout [Wait $options 30] -- {*}$groups]
    foreach group $groups {
        set it [dict get $found $group]
        set coordinator ""
        if {[dict exists $it coordinator id]} {set coordinator [dict get $it coordinator id]}
        if {[dict exists $options -J]} {
            set members [lmap member [dict get $it members] {
                set places [lmap tp [dict get $member assignment] {
                    JsonObject topic [JsonText [lindex $tp 0]] partition [lindex $tp 1]
                }]
                JsonObject {*}[JsonFields $member member_id text client_id text \
                    group_instance_id text host text] assignment [JsonList $places]
            }]
            Put [JsonObject group [JsonText $group] {*}[JsonFields $it state text type text assignor text] \
                coordinator $coordinator members [JsonList $members]]\n
            continue
        }
        Say "group $group is [dict get $it state], type [dict get $it type][expr {
            $coordinator eq "" ? "" : ", coordinator $coordinator"}]\n"
        if {[llength [dict get $it members]]} {
            Table {MEMBER CLIENT HOST PARTITIONS} [lmap member [dict get $it members] {
                list [dict get $member member_id] [dict get $member client_id] [dict get $member host] \
                    [join [lmap tp [dict get $member assignment] {join [lrange $tp 0 1] /}] { }]
            }]
        }
    }
}

# ---------------------------------------------------------------- settings

# Settings options config -- the settings to show, sorted: all with -a, else those somebody set.
proc ::kafka::cli::Settings {options config} {
    set shown {}
    foreach name [lsort [dict keys $config]] {
        set setting [dict get $config $name]
        if {![dict exists $options -a] && [dict get $setting default]} {continue}
        dict set shown $name $setting
    }
    return $shown
}

# SettingValue setting -- its value; the cluster does not tell a sensitive one.
proc ::kafka::cli::SettingValue {setting} {
    if {[dict get $setting sensitive]} {return "\[hidden\]"}
    if {[dict exists $setting value]} {return [dict get $setting value]}
    return
}

proc ::kafka::cli::SettingsText {config} {
    if {![dict size $config]} {return}
    Table {SETTING SOURCE VALUE} [lmap {name setting} $config {
        list $name [dict get $setting source] [SettingValue $setting]
    }]
}

proc ::kafka::cli::SettingsJson {config} {
    set words {}
    dict for {name setting} $config {
        set value [expr {[dict exists $setting value] && ![dict get $setting sensitive] ? "" : "null"}]
        if {$value eq ""} {set value [JsonText [dict get $setting value]]}
        lappend words $name [JsonObject value $value source [JsonText [dict get $setting source]]]
    }
    JsonObject {*}$words
}

proc ::kafka::cli::Do.config {options words} {
    set rest [lassign $words action kind name]
    if {$action ni {get set unset}} {Usage "say what to do first: get, set or unset"}
    if {$kind ni {topic broker group}} {Usage "say of what: topic, broker or group"}
    if {$name eq ""} {Usage "no $kind: give its name"}
    set timeout [Wait $options 30]
    if {$action eq "get"} {
        WithAdmin admin $options {
            set config [dict get [$admin describe_configs $kind -timeout $timeout -- $name] $name]
        }
        set missing [lmap key $rest {expr {[dict exists $config $key] ? [continue] : [list $key]}}]
        if {[llength $missing]} {Fail "$kind $name has no setting [join [join $missing] {, }]"}
        if {[llength $rest]} {
            set shown {}
            foreach key $rest {dict set shown $key [dict get $config $key]}
        } else {
            set shown [Settings $options $config]
        }
        if {[dict exists $options -J]} {
            Put [SettingsJson $shown]\n
        } else {
            # What "config set" takes again.
            dict for {key setting} $shown {Say "$key=[SettingValue $setting]\n"}
        }
        return
    }
    if {![llength $rest]} {
        Usage [expr {$action eq "set" ? "nothing to set: give KEY=VALUE" : "nothing to unset: give names"}]
    }
    set keys $rest
    set change [list -delete $rest]
    if {$action eq "set"} {
        set pairs [Pairs [list words $rest] words]
        set keys [dict keys $pairs]
        set change [list -set $pairs]
    }
    set dry [dict exists $options -dry-run]
    WithAdmin admin $options {
        $admin alter_configs $kind $name {*}$change -validate_only $dry -timeout $timeout
    }
    set verb [expr {$dry ? "could be $action" : $action}]
    Say "$kind $name: [join $keys {, }] $verb\n"
}
