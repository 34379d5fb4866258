# cli_output.tcl -- part of kafka::cli: what goes to stdout and stderr.

namespace eval ::kafka::cli {
    # The line of progress that stands on the terminal, and when it was written.
    variable progress ""
    variable progressed 0
    variable stdoutGone 0
}

# Descriptors -- see that 0, 1 and 2 are taken and stdin and stdout carry bytes.
proc ::kafka::cli::Descriptors {} {
    variable stdoutGone
    foreach {channel mode} {stdin r stdout w stderr w} {
        if {$channel in [chan names]} {continue}
        # The lowest free descriptor is the one that is missing; Tcl makes it the standard channel.
        open /dev/null $mode
        if {$channel eq "stdout"} {set stdoutGone 1}
    }
    foreach channel {stdin stdout} {
        if {$channel in [chan names]} {chan configure $channel -translation binary}
    }
    if {"stdout" in [chan names]} {chan configure stdout -buffering full -buffersize 65536}
    if {"stderr" in [chan names]} {chan configure stderr -encoding utf-8}
}

# Put bytes -- write to stdout.
proc ::kafka::cli::Put {bytes} {
    variable stdoutGone
    if {$stdoutGone} {return -code error -errorcode {KAFKAT GONE} "no stdout"}
    try {
        puts -nonewline stdout $bytes
    } trap {POSIX EPIPE} {} {
        Gone
    }
}

# Say text -- write text to stdout.
proc ::kafka::cli::Say {text} {
    Put [Utf8 $text]
}

# Utf8 text -- its bytes. What is no character (half a surrogate pair) is no error.
proc ::kafka::cli::Utf8 {text} {
    if {[package vsatisfies [package provide Tcl] 9]} {
        return [encoding convertto -profile tcl8 utf-8 $text]
    }
    return [encoding convertto utf-8 $text]
}

# Text bytes -- the text that they are, as far as they are any.
proc ::kafka::cli::Text {bytes} {
    if {[package vsatisfies [package provide Tcl] 9]} {
        return [encoding convertfrom -profile replace utf-8 $bytes]
    }
    return [encoding convertfrom utf-8 $bytes]
}

# Flush -- have stdout written out.
proc ::kafka::cli::Flush {} {
    variable stdoutGone
    if {$stdoutGone} {return}
    try {
        flush stdout
    } trap {POSIX EPIPE} {} {
        Gone
    }
}

# Gone -- nobody reads our output any more: that ends the program, quietly.
proc ::kafka::cli::Gone {} {
    variable stdoutGone 1
    # What is buffered would be tried again at exit.
    catch {close stdout}
    return -code error -errorcode {KAFKAT GONE} "nobody reads stdout"
}

# Complain text -- say on stderr that something is wrong.
proc ::kafka::cli::Complain {text} {
    variable name
    Clear
    catch {puts stderr "$name: $text"}
}

# Warn text -- the same, unless -q.
proc ::kafka::cli::Warn {text} {
    variable quiet
    if {!$quiet} {Complain $text}
}

# Note text -- say something on stderr, with -v.
proc ::kafka::cli::Note {text} {
    variable verbose
    if {$verbose} {
        Clear
        catch {puts stderr $text}
    }
}

# Plain message -- an error of the package without the words that each begins with.
proc ::kafka::cli::Plain {message} {
    regsub {^kafka error: } $message {}
}

# Terminal channel -- whether it is one.
proc ::kafka::cli::Terminal {channel} {
    # What terminals can be asked for differs between Tcl's versions, and files have none of it.
    expr {![catch {chan configure $channel} options]
        && ([dict exists $options -mode] || [dict exists $options -winsize])}
}

# Progress text -- show it on the terminal, if stderr is one, at most twice a second.
proc ::kafka::cli::Progress {text} {
    variable quiet
    variable progress
    variable progressed
    variable terminal
    if {![info exists terminal]} {set terminal [expr {!$quiet && [Terminal stderr]}]}
    if {!$terminal || [clock milliseconds] - $progressed < 500} {return}
    set progressed [clock milliseconds]
    Clear
    puts -nonewline stderr $text
    flush stderr
    set progress $text
}

# Clear -- take the line of progress away.
proc ::kafka::cli::Clear {} {
    variable progress
    if {$progress eq ""} {return}
    catch {puts -nonewline stderr "\r[string repeat { } [string length $progress]]\r"}
    set progress ""
}

# Grouped number -- 1,234,567
proc ::kafka::cli::Grouped {number} {
    while {[regsub {^(-?\d+)(\d{3})} $number {\1,\2} number]} {}
    return $number
}

# Table head rows -- write columns that are as wide as they must be. A column whose head begins
# with > stands at the right.
proc ::kafka::cli::Table {head rows} {
    set widths {}
    set formats {}
    set i 0
    foreach name $head {
        set right [string match >* $name]
        set name [string trimleft $name >]
        set width [string length $name]
        foreach row $rows {set width [expr {max($width, [string length [lindex $row $i]])}]}
        lappend names $name
        lappend formats %[expr {$right ? "" : "-"}]${width}s
        incr i
    }
    set format [join $formats "  "]
    foreach row [linsert $rows 0 $names] {
        # Empty cells at the end need no blanks.
        while {[llength $row] < $i} {lappend row ""}
        Say [string trimright [format $format {*}$row]]\n
    }
}

# Interruptible -- have Ctrl-C and its relatives end the program in good order: what was written is
# committed, the group is left. Tcl has no signals of its own; without TclX they end it at once.
proc ::kafka::cli::Interruptible {} {
    variable interrupted 0
    if {[catch {package require Tclx}]} {return}
    foreach name {INT TERM HUP} {
        # Who started us may have said that one is to be ignored, as nohup does.
        if {[lindex [signal get $name] 0 1 0] ne "ignore"} {
            signal trap $name {set ::kafka::cli::interrupted 1}
        }
    }
}
