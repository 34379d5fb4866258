# manual.tcl -- write the manual's pages from their sources, doc/man/*.man.
#
#     tclsh scripts/manual.tcl            write them
#     tclsh scripts/manual.tcl --check    compare; what differs is said, exit 1
#
# The sources are in tcllib's doctools language. Each becomes a page for man, one in
# Markdown and one in HTML.
#
# Another doctools may break lines elsewhere. So doc/man/generated.txt says which one wrote
# the pages, and the checksum of each source. Where this machine has another, --check
# compares the checksums and says so; they tell as well that a source was changed after its
# pages.

package require Tcl 8.6-
set root [file dirname [file dirname [file normalize [info script]]]]
set manual [file join $root doc man]
if {[catch {set doctools [package require doctools]}]} {
    puts stderr "the manual needs tcllib (doctools): apt-get install tcllib"
    exit 1
}

proc contents {file} {
    set channel [open $file r]
    fconfigure $channel -encoding utf-8 -translation lf
    try {
        return [read $channel]
    } finally {
        close $channel
    }
}

proc write {file text} {
    file mkdir [file dirname $file]
    set channel [open $file w]
    fconfigure $channel -encoding utf-8 -translation lf
    puts -nonewline $channel $text
    close $channel
}

# format source format -- the page. What doctools warns of is an error.
proc page {source format} {
    ::doctools::new engine -format $format -file $source
    try {
        set text [engine format [contents $source]]
        if {[llength [engine warnings]]} {
            error "$source: [join [engine warnings] \n]"
        }
    } finally {
        engine destroy
    }
    # doctools names the source as it was given: with the path on this machine.
    set text [string map [list $source [file tail $source]] $text]
    regsub -all -line {[ \t]+$} $text "" text
    return "[string trimright $text]\n"
}

# pages -- a dict from file to text, relative to doc/man.
proc pages {} {
    global manual doctools
    set pages {}
    set sums [list "doctools $doctools"]
    foreach source [lsort [glob -directory $manual *.man common/*.inc]] {
        set name [string range $source [string length $manual/] end]
        lappend sums "[format %08x [zlib crc32 [encoding convertto utf-8 [contents $source]]]] $name"
        if {[file extension $source] ne ".man"} {continue}
        set stem [file rootname $name]
        # man looks for a page in the folder of its section.
        regexp {\[manpage_begin \S+ (\S+)} [contents $source] - section
        dict set pages man$section/$stem.$section [page $source nroff]
        dict set pages markdown/$stem.md [page $source markdown]
        dict set pages html/$stem.html [page $source html]
    }
    dict set pages generated.txt [join $sums \n]\n
    return $pages
}

# committed name -- the text that is there, or nothing.
proc committed {name} {
    global manual
    set file [file join $manual $name]
    expr {[file exists $file] ? [contents $file] : ""}
}

# Pages whose source is gone.
proc left {pages} {
    global manual
    lmap file [glob -nocomplain -directory $manual man?/* markdown/* html/*] {
        set name [string range $file [string length $manual/] end]
        if {[dict exists $pages $name]} {continue}
        set name
    }
}

set pages [pages]
if {"--check" ni $argv} {
    foreach name [left $pages] {file delete [file join $manual $name]}
    dict for {name text} $pages {write [file join $manual $name] $text}
    puts "wrote [expr {[dict size $pages] - 1}] pages under doc/man"
    exit 0
}

set wrong [left $pages]
if {[lindex [split [committed generated.txt] \n] 0] eq "doctools $doctools"} {
    dict for {name text} $pages {
        if {[committed $name] ne $text} {lappend wrong $name}
    }
} else {
    # The first line is the doctools' version.
    set sums {{text} {lrange [split $text \n] 1 end}}
    if {[apply $sums [committed generated.txt]] ne [apply $sums [dict get $pages generated.txt]]} {
        lappend wrong generated.txt
    }
    foreach name [dict keys $pages] {
        if {[committed $name] eq ""} {lappend wrong $name}
    }
    append not "another doctools than $doctools wrote doc/man: its sources were compared with their" \
        " checksums, the pages were not compared"
}
if {![llength $wrong]} {
    puts [expr {[info exists not] ? $not : "doc/man is up to date"}]
    exit 0
}
foreach name $wrong {puts stderr "doc/man/$name is out of date"}
if {[info exists not]} {puts stderr $not}
puts stderr "run `make doc` and commit what it writes"
exit 1
