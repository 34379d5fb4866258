# cli_groups.tcl -- part of kafka::cli: kafkat groups, lag and reset-offsets.

proc ::kafka::cli::Do.groups {options words} {
    if {[llength $words]} {Usage "it takes options only; \"describe group NAME\" tells about one"}
    set call [list list_groups -timeout [Wait $options 30]]
    if {[dict exists $options -s]} {
        lappend call -states [string map {- _} [string tolower [dict get $options -s]]]
    }
    WithAdmin admin $options {
        set groups [lsort -command ::kafka::cli::ByGroup [$admin {*}$call]]
    }
    if {[dict exists $options -J]} {
        foreach group $groups {
            Put [JsonDict $group group text state text type text simple bool]\n
        }
        return
    }
    Table {GROUP STATE TYPE} [lmap group $groups {
        list [dict get $group group] [dict get $group state] [dict get $group type]
    }]
}

proc ::kafka::cli::ByGroup {a b} {
    string compare [dict get $a group] [dict get $b group]
}

proc ::kafka::cli::Do.lag {options groups} {
    if {![llength $groups]} {Usage "no group: give the names of those to look at"}
    set topics [Opt $options -t]
    set rows {}
    WithAdmin admin $options {
        foreach group $groups {
            set lag [::kafka::tools::lag $group -admin $admin -timeout [Wait $options 30]]
            if {![dict size $lag]} {Warn "group $group has committed nothing, and nobody reads in it"}
            dict for {place row} $lag {
                lassign $place topic partition
                if {[llength $topics] && $topic ni $topics} {continue}
                dict set row group $group
                dict set row topic $topic
                dict set row partition $partition
                lappend rows $row
            }
        }
    }
    if {[dict exists $options -J]} {
        foreach row $rows {
            # Nothing committed is no offset.
            if {[dict get $row offset] eq "invalid"} {dict unset row offset}
            Put [JsonDict $row group text topic text partition number offset number end number \
                lag number error text client_id text host text]\n
        }
        return
    }
    Table {GROUP TOPIC >PARTITION >OFFSET >END >LAG CLIENT} [lmap row $rows {
        set offset [dict get $row offset]
        if {$offset eq "invalid"} {set offset -}
        set cells [list [dict get $row group] [dict get $row topic] [dict get $row partition] $offset]
        if {[dict exists $row error]} {
            lappend cells - - [dict get $row error]
        } else {
            lappend cells [dict get $row end] [dict get $row lag] \
                [expr {[dict exists $row client_id] ? "[dict get $row client_id] [dict get $row host]" : ""}]
        }
        set cells
    }]
}

proc ::kafka::cli::Do.reset-offsets {options words} {
    set topics [lassign $words group]
    if {![llength $topics]} {Usage "give a group and the topics"}
    if {[dict exists $options -o] == [dict exists $options -s]} {
        Usage "say where to: -o beginning, end, N or @MS, or -s N messages on (-N: back)"
    }
    if {[dict exists $options -s]} {
        set to [list shift [Number $options -s -1000000000000000000]]
    } else {
        switch -regexp -matchvar match -- [dict get $options -o] {
            {^(beginning|earliest)$} {set to earliest}
            {^(end|latest)$} {set to latest}
            {^\d{1,18}$} {set to [list offset [scan [lindex $match 0] %lld]]}
            {^s?@(\d{1,18})$} {set to [list timestamp [scan [lindex $match 1] %lld]]}
            default {Usage "-o wants beginning, end, N or @MS (milliseconds since 1970)"}
        }
    }
    set dry [dict exists $options -dry-run]
    set call [list -to $to -partitions [Partitions $options] -timeout [Wait $options 30]]
    set plan {}
    WithAdmin admin $options {
        # All are looked at before the first is changed.
        foreach topic $topics {
            set plan [dict merge $plan [::kafka::tools::reset_offsets $group $topic -admin $admin {*}$call \
                -dry_run 1]]
        }
        if {!$dry} {
            set plan {}
            foreach topic $topics {
                set plan [dict merge $plan [::kafka::tools::reset_offsets $group $topic -admin $admin {*}$call]]
            }
        }
    }
    set rows {}
    dict for {place move} $plan {
        set from [dict get $move from]
        if {[dict exists $options -J]} {
            Put [JsonObject group [JsonText $group] topic [JsonText [lindex $place 0]] \
                partition [lindex $place 1] from [expr {$from eq "invalid" ? "null" : $from}] \
                to [dict get $move to] changed [expr {$dry ? "false" : "true"}]]\n
        } else {
            lappend rows [list {*}$place [expr {$from eq "invalid" ? "-" : $from}] [dict get $move to]]
        }
    }
    if {[dict exists $options -J]} {return}
    Table {TOPIC >PARTITION >FROM >TO} $rows
    if {$dry} {Warn "nothing was changed (-dry-run)"}
}
