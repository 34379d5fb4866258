# faking.tcl -- a fake broker in a child process, for the tests that need one.

# fakeBroker ?name value ...? -- start one with these variables set; its handle. The
# variable ::bootstrap then has where it listens.
proc fakeBroker {args} {
    set file [file join $::helper::root tests fakebroker.tcl]
    set h [childStart -bare 1 [list source $file]]
    set ::bootstrap 127.0.0.1:[childLine $h]
    foreach {name value} $args {ask $h set $name $value}
    return $h
}

# ask handle word ... -- have it evaluate a command; the result.
proc ask {h args} {
    childSend $h $args
    return [lindex [childLine $h] 0]
}

# fakeMaster ?key value ...? -- a master for it.
proc fakeMaster {args} {
    set m [::kafka::kafka create #auto]
    $m config bootstrap.servers $::bootstrap {*}$args
    $m logger none
    return $m
}
