# own.tcl -- what the package's scripts use of Tcl where the program has something else by that name.
#
# A program may define a command of its own called lmap, try or dict. The package's namespaces look
# into ::kafka::own before the global one; nothing is there until the global command is renamed or
# deleted, which a trace tells. So Tcl's own commands, which are compiled, are used as long as they
# are there. (A copy of a command can't be made by a script, and one that a procedure replaces is gone.)
#
# An ensemble whose map is changed stays the program's business: subcommands that are added do no harm.

namespace eval ::kafka::own {}

# Watch -- look after the commands that programs define, or have defined already.
proc ::kafka::easy::Watch {} {
    foreach name {dict string info array namespace file clock chan lmap try lassign foreach} {
        set map {}
        if {[namespace ensemble exists ::tcl::$name] || [namespace exists ::tcl::$name]} {
            foreach command [info commands ::tcl::${name}::*] {
                lappend map [namespace tail $command] $command
            }
        }
        if {$name eq "info"} {
            # Of all the subcommands these alone lie elsewhere.
            lappend map object ::oo::InfoObject class ::oo::InfoClass
        }
        set ::kafka::easy::maps($name) $map
        if {[info procs ::$name] ne "" || [info commands ::$name] eq ""} {
            Replace $name
        } else {
            set prefix [list ::kafka::easy::Replaced $name]
            trace remove command ::$name {rename delete} $prefix
            trace add command ::$name {rename delete} $prefix
        }
    }
}

# Replaced name args -- a trace: the global command goes.
proc ::kafka::easy::Replaced {name args} {
    if {[namespace which -command ::kafka::easy::Replace] ne ""} {Replace $name}
}

# Replace name -- our own, by what of Tcl's lies beneath.
proc ::kafka::easy::Replace {name} {
    if {[llength [info commands ::kafka::own::$name]]} return
    set map $::kafka::easy::maps($name)
    if {$map ne ""} {
        ::tcl::namespace::eval ::kafka::own [list ::tcl::namespace::ensemble create \
            -command ::kafka::own::$name -map $map]
        return
    }
    switch -- $name {
        lmap {
            proc ::kafka::own::lmap {args} {
                variable lists
                variable depth
                set here [incr depth]
                set lists($here) {}
                set script "::lappend ::kafka::own::lists($here) \[[lindex $args end]\n\]"
                set code [catch {
                    uplevel 1 [list [::tcl::namespace::which -command foreach] \
                        {*}[lrange $args 0 end-1] $script]
                } result options]
                set list $lists($here)
                unset lists($here)
                if {$code == 0} {return $list}
                return -options [::tcl::dict::incr options -level] $result
            }
        }
        foreach {
            ::tcl::namespace::eval ::kafka::own::tcl::mathfunc {}
            proc ::kafka::own::foreach {args} {
                set last [expr {[llength $args] - 1}]
                set rounds 0
                for {set i 0} {$i < $last} {incr i 2} {
                    set names [llength [lindex $args $i]]
                    set need [expr {([llength [lindex $args $i+1]] + $names - 1) / $names}]
                    if {$need > $rounds} {set rounds $need}
                }
                for {set round 0} {$round < $rounds} {incr round} {
                    for {set i 0} {$i < $last} {incr i 2} {
                        set names [lindex $args $i]
                        set at [expr {$round * [llength $names]}]
                        for {set n 0} {$n < [llength $names]} {incr n} {
                            uplevel 1 [list ::set [lindex $names $n] \
                                [lindex $args $i+1 $at+$n]]
                        }
                    }
                    set code [catch {uplevel 1 [lindex $args end]} result options]
                    if {$code == 3} break
                    if {$code in {0 4}} continue
                    return -options [::tcl::dict::incr options -level] $result
                }
                return
            }
            # Tcl 8.6 has these two as procedures with foreach.
            proc ::kafka::own::tcl::mathfunc::max {first args} {
                while {[llength $args]} {
                    if {[lindex $args 0] > $first} {set first [lindex $args 0]}
                    set args [lrange $args 1 end]
                }
                return $first
            }
            proc ::kafka::own::tcl::mathfunc::min {first args} {
                while {[llength $args]} {
                    if {[lindex $args 0] < $first} {set first [lindex $args 0]}
                    set args [lrange $args 1 end]
                }
                return $first
            }
        }
        lassign {
            proc ::kafka::own::lassign {list args} {
                set i -1
                foreach name $args {
                    upvar 1 $name variable
                    set variable [lindex $list [incr i]]
                    upvar 0 none variable
                }
                return [lrange $list [llength $args] end]
            }
        }
        try {
            proc ::kafka::own::try {script args} {
                set code [catch {uplevel 1 $script} result options]
                set names {ok 0 error 1 return 2 break 3 continue 4}
                set i 0
                while {$i < [llength $args] && [lindex $args $i] ne "finally"} {
                    foreach {kind what variables handler} [lrange $args $i $i+3] break
                    incr i 4
                    if {$kind eq "on"} {
                        if {[::tcl::dict::exists $names $what]} {set what [::tcl::dict::get $names $what]}
                        set match [expr {$what == $code}]
                    } else {
                        set match [expr {$code == 1 && $what eq [lrange \
                            [::tcl::dict::get $options -errorcode] 0 [expr {[llength $what] - 1}]]}]
                    }
                    if {!$match} continue
                    while {$handler eq "-"} {
                        set handler [lindex $args [expr {$i + 3}]]
                        incr i 4
                    }
                    foreach name $variables value [list $result $options] {
                        if {$name ne ""} {uplevel 1 [list ::set $name $value]}
                    }
                    set code [catch {uplevel 1 $handler} result options]
                    break
                }
                set at [lsearch -exact $args finally]
                if {$at >= 0 && $at == [llength $args] - 2} {
                    set ended [catch {uplevel 1 [lindex $args end]} late other]
                    if {$ended} {return -options [::tcl::dict::incr other -level] $late}
                }
                return -options [::tcl::dict::incr options -level] $result
            }
        }
    }
}

# Guard -- have the package's namespaces look there.
proc ::kafka::easy::Guard {} {
    foreach space [list ::kafka {*}[namespace children ::kafka]] {
        if {$space ne "::kafka::own"} {
            namespace eval $space {::tcl::namespace::path ::kafka::own}
        }
    }
    # What of tcllib our commands call, unless it has something there already.
    foreach space {::json ::md5} {
        if {[namespace exists $space] && [namespace eval $space {::tcl::namespace::path}] eq ""} {
            namespace eval $space {::tcl::namespace::path ::kafka::own}
        }
    }
}

::kafka::easy::Watch
::kafka::easy::Guard
