# licences.tcl -- print whose code is in the library that is built, and its licences.
#
#     cargo metadata --format-version 1 --locked --filter-platform TARGET | tclsh scripts/licences.tcl
#
# The crates that are linked in, and what they bring in C, each licence as it comes with the crate.
# What only runs while building (build scripts, macros) is not in the library and not named.

package require Tcl 8.6-
package require json

proc read_file {file} {
    set channel [open $file]
    fconfigure $channel -encoding utf-8
    if {[package vsatisfies [package provide Tcl] 9]} {fconfigure $channel -profile replace}
    set text [string trim [read $channel] \n]
    close $channel
    return $text
}

# linked metadata -- the packages that are linked into the root package, by id.
proc linked {metadata} {
    foreach package [dict get $metadata packages] {
        dict set packages [dict get $package id] $package
    }
    set root [dict get $metadata resolve root]
    foreach node [dict get $metadata resolve nodes] {
        foreach dep [dict get $node deps] {
            foreach kind [dict get $dep dep_kinds] {
                if {[dict get $kind kind] eq "null"} {
                    dict lappend uses [dict get $node id] [dict get $dep pkg]
                    break
                }
            }
        }
    }
    set todo [list $root]
    set found {}
    while {[llength $todo]} {
        set todo [lassign $todo id]
        set package [dict get $packages $id]
        if {[dict exists $found $id] || [isMacro $package]} continue
        dict set found $id $package
        if {[dict exists $uses $id]} {lappend todo {*}[dict get $uses $id]}
    }
    dict unset found $root
    return $found
}

proc isMacro {package} {
    foreach target [dict get $package targets] {
        if {"proc-macro" in [dict get $target kind]} {return 1}
    }
    return 0
}

# withoutApache text -- Debian has the full text of that licence in one place, and wants it nowhere else.
proc withoutApache {text} {
    regsub -all {[ ]*Apache License\n[ ]*Version 2\.0.*?limitations under the License\.} $text \
        {The Apache License, version 2.0: see /usr/share/common-licenses/Apache-2.0.} text
    return $text
}

# licences package -- the files with its licence: where there is a choice, the shorter one.
proc licences {package} {
    set folder [file dirname [dict get $package manifest_path]]
    set mit [glob -nocomplain -directory $folder {[Ll][Ii][Cc][Ee][Nn][CcSs][Ee]-MIT*}]
    if {[llength $mit]} {
        set files $mit
    } else {
        set files [glob -nocomplain -types f -directory $folder {{[Ll][Ii][Cc][Ee][Nn][CcSs][Ee],COPYING}*}]
    }
    # What they compile in C.
    lappend files {*}[glob -nocomplain $folder/librdkafka/LICENSES.txt $folder/zstd/LICENSE]
    return [lsort -unique $files]
}

fconfigure stdin -encoding utf-8
fconfigure stdout -encoding utf-8
set metadata [json::json2dict [read stdin]]
set texts {}
puts "The library has these crates and libraries linked in:\n"
foreach package [lsort -index 1 [lmap p [dict values [linked $metadata]] {
    list $p [dict get $p name]
}]] {
    set package [lindex $package 0]
    set name "[dict get $package name] [dict get $package version]"
    puts "  $name: [dict get $package license]"
    foreach file [licences $package] {
        # Many have the same text.
        dict lappend texts [withoutApache [read_file $file]] $name
    }
}
dict for {text names} $texts {
    puts "\n[string repeat - 78]\n[join [lsort -unique $names] {, }]:\n\n$text"
}
