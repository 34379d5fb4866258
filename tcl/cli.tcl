# cli.tcl -- package kafka::cli: what bin/kafkat does.
#
#     exit [kafka::cli::main $argv]
#
# Each subcommand is a procedure Do.NAME of its options (a dict) and words; the files cli_*.tcl
# have them, by subject. No contract: scripts use the package's commands.
#
# Exit status: 0 fine, 1 something failed, 2 the command line is wrong.

package require Tcl 8.6-
package require kafka
package require kafka::common
package require kafka::tools

namespace eval ::kafka::cli {
    variable quiet 0
    variable verbose 0
    # Texts of the client's errors that were told: each is told once.
    variable told {}
}

::kafka::common::Parts cli_options cli_output cli_client cli_json cli_format cli_produce cli_consume \
    cli_metadata cli_topics cli_groups cli_bench cli_mock

# main words -- run a command line and give the exit status.
proc ::kafka::cli::main {words} {
    variable name kafkat
    try {
        # librdkafka's sockets must not take the place of a closed stdin or stdout.
        Descriptors
        Run $words
        Flush
        return 0
    } trap {KAFKAT USAGE} {message} {
        Complain "$message\nTry \"$name --help\"."
        return 2
    } trap {KAFKAT GONE} {} {
        # Who reads our output has enough of it.
        return 0
    } trap {KAFKAT FAILED} {message} {
        catch {Flush}
        if {$message ne ""} {Complain $message}
        return 1
    } trap KAFKA {message} {
        catch {Flush}
        Complain [Plain $message]
        return 1
    } trap POSIX {message} {
        catch {Flush}
        Complain $message
        return 1
    } trap {TCL VALUE} {message} {
        catch {Flush}
        Complain $message
        return 1
    } on error {message problem} {
        catch {Flush}
        Complain "internal error: $message"
        variable verbose
        if {$verbose} {puts stderr [dict get $problem -errorinfo]}
        return 1
    }
}

# Run words -- do what a command line says.
proc ::kafka::cli::Run {words} {
    variable commands
    variable quiet
    variable verbose
    variable name
    set words [lassign $words command]
    switch -- $command {
        "" {Usage "no command: give one of [join [dict keys $commands] {, }]"}
        -h - --help - -help {
            Say [Help]
            return
        }
        help {
            Say [Help [lindex $words 0]]
            return
        }
        -V - --version - -version {
            Say "kafkat [package present kafka] (librdkafka [::kafka::kafka version])\n"
            return
        }
    }
    if {![dict exists $commands $command]} {
        # What is no word may be a secret that got into the wrong place.
        if {![regexp {^[a-z-]{1,20}$} $command]} {Usage "the first word has to be a command"}
        Usage "unknown command \"$command\": must be [::kafka::common::Or [dict keys $commands]][
            ::kafka::common::Near $command [dict keys $commands]]"
    }
    set name "kafkat $command"
    lassign [Parse $command $words] options words
    if {[dict exists $options -h]} {
        Say [Help $command]
        return
    }
    set quiet [dict exists $options -q]
    set verbose [dict exists $options -v]
    Do.$command $options $words
}

# Usage text -- throw: the command line is wrong.
proc ::kafka::cli::Usage {text} {
    return -code error -errorcode {KAFKAT USAGE} $text
}

# Fail text -- throw: what was asked for can't be done.
proc ::kafka::cli::Fail {text} {
    return -code error -errorcode {KAFKAT FAILED} $text
}

package provide kafka::cli [package require kafka]
