# window.tcl -- what the monitor looks like.

namespace eval window {
    variable colour
    array set colour {
        head #1e293b  headText #f8fafc  headFaint #94a3b8
        page #f1f5f9  text #1e293b      faint #64748b      line #e2e8f0
        stripe #f8fafc  good #15803d    late #b45309       bad #b91c1c
        written #2563eb  read #059669
    }
    # column -> heading, width
    variable columns {
        leader {Leader 70}  first {First 95}  end {End 95}  committed {Committed 105}
        lag {Lag 90}  written {Written/s 95}  read {Read/s 95}
    }
    variable tile           ;# what the tiles of the heading show
    array set tile {brokers - topics - partitions - lag -}
    variable problemUntil 0
}

# number n -- rounded, with commas; small ones keep a decimal.
proc window::number {n} {
    if {$n != round($n) && $n < 10} {return [format %.1f $n]}
    set n [expr {round($n)}]
    while {[regsub {^(\d+)(\d{3})} $n {\1,\2} n]} {}
    return $n
}

# build what -- the window of a cluster that is called so.
proc window::build {what} {
    variable colour
    wm title . "kafka monitor"
    wm minsize . 720 480
    wm geometry . 1000x740
    . configure -background $colour(page)
    Fonts
    Style
    Head $what
    Chooser
    Table
    frame .charts -background $colour(page)
    chart::create .charts.messages "Messages per second in the cluster" \
        [list written $colour(written) "read by the group" $colour(read)]
    chart::create .charts.traffic "KiB per second of this program" \
        [list sent $colour(written) received $colour(read)]
    pack .charts.messages .charts.traffic -side left -fill both -expand 1
    pack configure .charts.traffic -padx {12 0}
    label .status -anchor w -font window.small -background $colour(page) \
        -foreground $colour(faint) -justify left -text "connecting to $what"
    bind .status <Configure> {.status configure -wraplength [expr {[winfo width .status] - 4}]}

    # The status and the charts keep their place when the window gets small.
    pack .head -side top -fill x
    pack .chooser -side top -fill x -padx 16 -pady {12 6}
    pack .status -side bottom -fill x -padx 16 -pady {4 8}
    pack .charts -side bottom -fill x -padx 16 -pady {10 0}
    pack .table -side top -fill both -expand 1 -padx 16
}

proc window::Fonts {} {
    set family [font actual TkDefaultFont -family]
    foreach {name size weight} {normal 11 normal bold 11 bold small 9 normal big 17 bold} {
        # In pixels: points depend on what the display says of itself.
        font create window.$name -family $family -weight $weight -size [expr {-round($size * 1.28)}]
    }
}

proc window::Style {} {
    variable colour
    ttk::style theme use clam
    ttk::style configure . -font window.normal -background $colour(page) -foreground $colour(text)
    ttk::style configure Treeview -rowheight 23 -background white -fieldbackground white \
        -bordercolor $colour(line) -lightcolor white
    ttk::style configure Treeview.Heading -font window.bold -background $colour(line) \
        -relief flat -padding {2 4}
    ttk::style map Treeview -background [list selected #dbeafe] -foreground {}
    ttk::style map TCombobox -fieldbackground {readonly white} -selectbackground {readonly white} \
        -selectforeground [list readonly $colour(text)]
    ttk::style map Treeview.Heading -background [list active $colour(line)]
}

proc window::Head {what} {
    variable colour
    frame .head -background $colour(head) -padx 16 -pady 12
    label .head.title -text "kafka monitor" -font window.big
    label .head.what -text $what -font window.small -foreground $colour(headFaint)
    grid .head.title -row 0 -column 0 -sticky w
    grid .head.what -row 1 -column 0 -sticky w
    grid columnconfigure .head 0 -weight 1
    set column 0
    foreach {name text} {brokers brokers topics topics partitions partitions lag "messages behind"} {
        label .head.$name -textvariable window::tile($name) -font window.big
        label .head.${name}Text -text $text -font window.small -foreground $colour(headFaint)
        grid .head.$name -row 0 -column [incr column] -sticky e -padx {32 0}
        grid .head.${name}Text -row 1 -column $column -sticky e -padx {32 0}
    }
    foreach label [winfo children .head] {
        $label configure -background $colour(head) -padx 0 -pady 0
        if {![string match *Text $label] && $label ne ".head.what"} {
            $label configure -foreground $colour(headText)
        }
    }
}

# The group whose offsets are shown.
proc window::Chooser {} {
    ttk::frame .chooser
    ttk::label .chooser.text -text "Lag of the group"
    ttk::combobox .chooser.group -textvariable monitor::group -state readonly -width 24 \
        -font window.normal
    bind .chooser.group <<ComboboxSelected>> {.chooser.group selection clear}
    pack .chooser.text .chooser.group -side left
    pack configure .chooser.group -padx 10
}

proc window::offerGroups {groups} {
    .chooser.group configure -values $groups
}

proc window::Table {} {
    variable colour
    variable columns
    ttk::frame .table
    ttk::treeview .table.tree -columns [dict keys $columns] -selectmode browse \
        -yscrollcommand window::scrolled -height 4
    ttk::scrollbar .table.scroll -command {.table.tree yview}
    .table.tree heading #0 -text Topic -anchor w
    .table.tree column #0 -width 210 -minwidth 120 -anchor w
    dict for {column about} $columns {
        lassign $about text width
        .table.tree heading $column -text $text -anchor e
        .table.tree column $column -width $width -minwidth 50 -anchor e
    }
    .table.tree tag configure topic -font window.bold -background $colour(stripe)
    .table.tree tag configure late -foreground $colour(late)
    grid .table.tree .table.scroll -sticky nsew
    grid rowconfigure .table 0 -weight 1
    grid columnconfigure .table 0 -weight 1
}

# scrolled first last -- the scrollbar is there only while there is something to scroll.
proc window::scrolled {first last} {
    .table.scroll set $first $last
    if {$first <= 0 && $last >= 1} {grid remove .table.scroll} else {grid .table.scroll}
}

# ---------------------------------------------------------------- what it shows

# show metadata first seen rates -- bring the table and the tiles up to date. `seen` is a
# dict with `end` and `committed`; all are by {topic partition}.
proc window::show {metadata first seen rates} {
    variable tile
    set topics 0
    set partitions 0
    set all {lag 0 written 0 read 0}
    set items {}
    foreach topic [lsort [dict keys [dict get $metadata topics]]] {
        # The cluster's own topics were not asked for.
        if {[string match __* $topic]} continue
        set sum {lag "" written 0 read 0}
        set rows {}
        set leaders [dict get $metadata topics $topic partitions]
        foreach partition [lsort -integer [dict keys $leaders]] {
            set place [list $topic $partition]
            incr partitions
            if {![dict exists $seen end $place]} {
                # Its leader is away, or did not answer for it.
                lappend rows $partition [list none "" "" "" "" "" ""]
                continue
            }
            set end [dict get $seen end $place]
            lassign [dict get $rates $place] written read
            set committed ""
            set lag ""
            if {[dict exists $seen committed $place]} {
                set committed [dict get $seen committed $place]
                set lag [expr {max(0, $end - $committed)}]
                dict set sum lag [expr {$lag + ([dict get $sum lag] eq "" ? 0 : [dict get $sum lag])}]
            }
            dict set sum written [expr {[dict get $sum written] + $written}]
            dict set sum read [expr {[dict get $sum read] + $read}]
            set from [expr {[dict exists $first $place] ? [dict get $first $place] : ""}]
            lappend rows $partition [list [dict get $leaders $partition leader] $from $end \
                $committed $lag $written $read]
        }
        incr topics
        lappend items [Row {} "t $topic" $topic topic \
            [list "" "" "" "" [dict get $sum lag] [dict get $sum written] [dict get $sum read]]]
        foreach {partition row} $rows {
            lappend items [Row "t $topic" "p $topic $partition" "partition $partition" {} $row]
        }
        foreach key {lag written read} {
            if {[dict get $sum $key] eq ""} continue
            dict set all $key [expr {[dict get $all $key] + [dict get $sum $key]}]
        }
    }
    Forget $items
    array set tile [list brokers [number [llength [dict get $metadata brokers]]] topics [number $topics] \
        partitions [number $partitions] lag [number [dict get $all lag]]]
    chart::add .charts.messages [list [dict get $all written] [dict get $all read]]
}

# Row parent id text tag values -- make the row or set what it says; gives its id.
proc window::Row {parent id text tag values} {
    set tree .table.tree
    if {![$tree exists $id]} {
        $tree insert $parent end -id $id -text $text -open 1
    }
    set lag [lindex $values 4]
    set rate [lindex $values 5]
    # More than five seconds behind what is written.
    if {$lag ne "" && $lag > 20 && $lag > 5 * $rate || [lindex $values 0] eq "none"} {lappend tag late}
    set values [lmap value $values {expr {[string is double -strict $value] ? [number $value] : $value}}]
    $tree item $id -values $values -tags $tag
    return $id
}

# Forget items -- take away the rows of what is no longer there.
proc window::Forget {items} {
    set tree .table.tree
    foreach topic [$tree children {}] {
        foreach id [list {*}[$tree children $topic] $topic] {
            if {$id ni $items} {$tree delete [list $id]}
        }
    }
}

# traffic sent received trip -- KiB a second, and the mean time that brokers take to answer.
proc window::traffic {sent received trip} {
    chart::add .charts.traffic [list $sent $received] "round trip [format %.2f $trip] ms"
}

# status text -- all is well; a problem is shown for a while nevertheless.
proc window::status {text} {
    variable colour
    variable problemUntil
    if {[clock milliseconds] < $problemUntil} return
    .status configure -foreground $colour(faint) -text "[clock format [clock seconds] -format %T]  $text"
}

proc window::problem {text} {
    variable colour
    variable problemUntil [expr {[clock milliseconds] + 5000}]
    .status configure -foreground $colour(bad) -text "[clock format [clock seconds] -format %T]  $text"
}
