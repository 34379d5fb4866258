# generate.tcl -- write doc/commands.md from the package's own method tables.
#
#     tclsh scripts/generate.tcl            write it
#     tclsh scripts/generate.tcl --check    compare; a difference is printed, exit 1
#
# `::kafka::internal methods` returns a dict: object type -> list of rows {name
# signature summary}, straight from the tables that check a call's words. So this
# page can't say anything else than the program does.

package require Tcl 8.6-
set root [file dirname [file dirname [file normalize [info script]]]]
set ::auto_path [linsert $::auto_path 0 [file join $root build]]
package require kafka

# How an object of each type is written in a synopsis, and what makes one. A type
# without an entry gets its own name, so that a new one can't be forgotten.
set titles {
    kafka          {::kafka::kafka  {The package's own command}}
    master         {$kafka          {Master: `::kafka::kafka create cmd`}}
    producer       {$producer       {Producer handle: `$kafka producer_creator cmd`}}
    consumer       {$consumer       {Consumer handle: `$kafka consumer_creator cmd`}}
    producer_topic {$topic          {Producer topic: `$producer new_topic cmd topic`}}
    topic_producer {$topic          {Producer topic: `$producer new_topic cmd topic`}}
    consumer_topic {$topic          {Consumer topic: `$consumer new_topic cmd topic`}}
    topic_consumer {$topic          {Consumer topic: `$consumer new_topic cmd topic`}}
    queue          {$queue          {Queue: `$consumer create_queue cmd`}}
    subscriber     {$subscriber     {Subscriber: `$kafka subscriber cmd`}}
    admin          {$admin          {Admin: `$kafka admin cmd`, `$handle admin cmd` (see [admin.md](admin.md))}}
    mock           {$mock           {Embedded cluster: `::kafka::kafka mock cmd`}}
}

# In a table cell a bar would end the cell, also inside a code span.
proc cell {text} {
    string map {| \\|} $text
}

proc page {} {
    global titles
    set lines {
        "# Commands"
        ""
        "Every subcommand of every object, as the package itself lists them. This"
        "page is generated (`make doc`); `make check` fails when it is out of date."
    }
    set methods [::kafka::internal methods]
    # The order above, then what is new, by name.
    set types [lmap type [dict keys $titles] {
        if {![dict exists $methods $type]} {continue}
        set type
    }]
    foreach type [lsort [dict keys $methods]] {
        if {$type ni $types} {lappend types $type}
    }
    foreach type $types {
        lassign [list \$$type $type] object title
        if {[dict exists $titles $type]} {
            lassign [dict get $titles $type] object title
        }
        lappend lines "" "## $title" "" "| call | what it does |" "| --- | --- |"
        foreach row [dict get $methods $type] {
            lassign $row name signature summary
            set call [string trim "$object $name $signature"]
            lappend lines "| `[cell $call]` | [cell $summary] |"
        }
    }
    return [join $lines \n]\n
}

set file [file join $root doc commands.md]
set text [page]

if {"--check" ni $argv} {
    file mkdir [file dirname $file]
    set channel [open $file w]
    fconfigure $channel -encoding utf-8 -translation lf
    puts -nonewline $channel $text
    close $channel
    puts "wrote doc/commands.md"
    exit 0
}

set committed ""
if {[file exists $file]} {
    set channel [open $file r]
    fconfigure $channel -encoding utf-8 -translation lf
    set committed [read $channel]
    close $channel
}
if {$text eq $committed} {
    puts "doc/commands.md is up to date"
    exit 0
}

set channel [file tempfile fresh]
fconfigure $channel -encoding utf-8 -translation lf
puts -nonewline $channel $text
close $channel
if {![file exists $file]} {set file /dev/null}
catch {exec diff -u $file $fresh >@stdout 2>@stderr}
file delete $fresh
puts stderr "doc/commands.md is out of date: run `make doc` and commit it"
exit 1
