# Build, try, test and install the `kafka` package for Tcl.
#
# What is installed, tested and measured comes from Cargo's release profile. Only `make dev` and
# `make try` use the dev profile, which compiles librdkafka once more but an edit in seconds.

VERSION    := $(shell sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1)
TCLSH      ?= tclsh
# rustup's directory is often missing from PATH in cron, CI and sudo.
CARGO      ?= $(shell command -v cargo || echo $(HOME)/.cargo/bin/cargo)
PREFIX     ?= /usr/local
# On Debian and Ubuntu tclsh searches /usr/local/lib/tcltk and /usr/lib/tcltk.
INSTALLDIR  = $(DESTDIR)$(PREFIX)/lib/tcltk/kafka$(VERSION)

# Where cargo puts its output, and what Tcl is to find: build/ holds the package
# as it will be installed, so that tests and demos run what a user will run.
TARGET     := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
PACKAGE    := build/kafka$(VERSION)

SHLIB_EXT  := $(if $(filter Darwin,$(shell uname -s)),dylib,so)
LIBFILE    := libkafka$(VERSION).$(SHLIB_EXT)
TCL_FILES  := $(wildcard tcl/*.tcl)

# Cargo is no sub-make: make's -j must not reach it (nor the make that builds
# librdkafka) as a job server that it can't talk to.
RUN_CARGO  := env -u MAKEFLAGS -u MFLAGS $(CARGO)

# What writes include/kafkatcl.h is a package of its own (cbindgen), which no build needs.
WRITE_HEADER := $(RUN_CARGO) run --quiet --locked --manifest-path scripts/header/Cargo.toml \
    --target-dir $(TARGET)/header

export TCLSH CARGO
# A Tcl list, hence the braces.
export TCLLIBPATH := {$(CURDIR)/build}

REPEATED   := $(if $(REPEAT),-repeat $(REPEAT))

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.PHONY: build stage dev try static demo test broker broker-stop test-broker test-real test-tcl9 test-tcl-new bench bench-quick bench-latency bench-instructions valgrind asan leaks soak soak-random soak-model check doc install install-dev uninstall dist deb test-deb clean help

build: ## compile and lay out the package under build/ (the default)
	@scripts/setup build
	@$(RUN_CARGO) build --release --locked --lib
	@$(MAKE) --no-print-directory stage

# Cargo alone knows whether anything has to be compiled, so staging is a step
# after it and not a file rule. $(call lay_out,profile,folder) makes the package aside and renames
# it: a process that has the old library open keeps it. A package that would be the same stays where
# it is, as tests that call make run beside others that load it.
define lay_out
rm -rf $(2)/.new && mkdir -p $(2)/.new/tcl && \
cp $(TARGET)/$(1)/libkafka.$(SHLIB_EXT) $(2)/.new/$(LIBFILE) && \
cp $(TCL_FILES) $(2)/.new/tcl/ && \
sed -e 's/@VERSION@/$(VERSION)/g' -e 's/@LIBFILE@/$(LIBFILE)/g' \
    pkgIndex.tcl.in > $(2)/.new/pkgIndex.tcl && \
if diff -r $(2)/.new $(2)/kafka$(VERSION) >/dev/null 2>&1; then rm -rf $(2)/.new; \
else rm -rf $(2)/kafka* $(2)/static && mv $(2)/.new $(2)/kafka$(VERSION); fi
endef

stage:
	@$(call lay_out,release,build)

dev: ## compile quickly, by the dev profile, into build/dev/ (the release build stays)
	@scripts/setup build
	@$(RUN_CARGO) build --locked --lib
	@$(call lay_out,debug,build/dev)

try: ## run T="name ..." (tests/name.test; broker/name of tests/broker) on what `make dev` builds; REPEAT=n
	@test -n "$(strip $(T))" || { echo 'make try: name a test, as in make try T=mock' >&2; exit 2; }
	@$(MAKE) --no-print-directory dev
	@TCLLIBPATH="{$(CURDIR)/build/dev}" KAFKA_TEST_BUILD="$(CURDIR)/build/dev" \
	    $(TCLSH) tests/all.tcl $(REPEATED) $(T)

static: ## the package as a static library in build/static/, for C programs (include/kafkatcl.h)
	@$(MAKE) --no-print-directory build
	@scripts/static build/static
	@echo "build/static/libkafkatcl.a; a program with it, such as demos/embed.c, is linked with"
	@sed -n 's/^Libs: -L[^ ]* -lkafkatcl /  /p' build/static/kafkatcl.pc.in

demo: ## 100,000 messages through an embedded cluster (or KAFKA_BOOTSTRAP)
	@scripts/setup demo
	@$(MAKE) --no-print-directory build
	@$(TCLSH) demos/quickstart.tcl

test: ## all tests; T="name ..." runs only tests/name.test, REPEAT=n each Tcl file n times
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	@scripts/test $(REPEATED) $(T)

bench: ## what a message costs, beside librdkafka without Tcl; B="-quick" or "-rows pattern"
	@scripts/setup build
	@$(MAKE) --no-print-directory build
	@$(RUN_CARGO) build --release --locked --example floor
	@$(TCLSH) benches/run.tcl $(B)
	@$(TCLSH) benches/latency.tcl $(filter -quick,$(B))

bench-latency: ## from produce to the callback, in another process; with KAFKA_BOOTSTRAP on that broker
	@scripts/setup build
	@$(MAKE) --no-print-directory build
	@$(RUN_CARGO) build --release --locked --example floor
	@$(TCLSH) benches/latency.tcl $(B)

bench-quick: ## the same in two minutes: 100 bytes, one partition
	@$(MAKE) --no-print-directory bench B=-quick

bench-instructions: ## instructions per message, by valgrind: compare with benches/BASELINE.md
	@scripts/setup build
	@$(MAKE) --no-print-directory build
	@$(TCLSH) benches/instructions.tcl $(B)

broker: ## Apache Kafka on this machine, for tests: NODES=3 KAFKA_VERSION=4.0.2 PORT=9092
	@scripts/setup broker
	@scripts/broker start

broker-stop: ## end what make broker has started
	@scripts/broker stop

test-broker: ## tests/broker on a broker of their own, or KAFKA_BOOTSTRAP's; NODES=3, T="name ..."
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	@scripts/test-broker $(REPEATED) -dir tests/broker $(T)

test-real: ## what tests/real.files lists, on a broker likewise (tests/real.tcl); T="name ..."
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	@KAFKA_TEST_REAL=1 scripts/test-broker $(REPEATED) $(or $(T),$(shell sed 's/\#.*//' tests/real.files))

test-tcl9: ## the Tcl tests under Tcl 9, from a folder that root may fill with one
	@$(MAKE) --no-print-directory build
	@scripts/other-tcl tclsh9.0 $(T)

# What a new Tcl may change: how the package is loaded, read and ended, and what it takes from Tcl.
NEW_TCL = package reload usage first config producer subscriber topic_consumer queue send callbacks \
	async array oo worker json tuples words shadows ends exit threads reentrancy signals

test-tcl-new: ## some of them under Tcl 9.1 (TCL=tclsh8.6: the newest 8.6) of Debian's unstable distribution; T="name ..."
	@$(MAKE) --no-print-directory build
	@scripts/other-tcl $(or $(TCL),tclsh9.1) $(or $(T),$(NEW_TCL))

valgrind: ## the core tests under valgrind; T="name ..." as for test
	@scripts/setup valgrind
	@$(MAKE) --no-print-directory build
	@scripts/memory valgrind $(T)

asan: ## the core tests with AddressSanitizer, in a build of its own; T="name ..."
	@scripts/setup test
	@scripts/memory asan $(T)

leaks: ## 10,000 cycles of everything that is made and deleted, counted
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	@KAFKA_TEST_CYCLES=10000 $(TCLSH) tests/all.tcl -deadline 3000 leaks

soak: ## a mixed load with faults, and a checker: MINUTES=30 SEED=n PLOT=build/soak.svg
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	@$(TCLSH) tests/soak/soak.tcl $(or $(MINUTES),30) "$(SEED)" "$(PLOT)"

soak-random: ## random calls for long: STEPS=1000000 SEED=n; a fault comes with its seed
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	@$(TCLSH) tests/random/soak.tcl $(or $(STEPS),1000000) $(SEED)

soak-model: ## random sequences of what readers do, against a model: SEQUENCES=3000 SEED=n KINDS="range ..."
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	@$(TCLSH) tests/model/soak.tcl $(or $(SEQUENCES),3000) "$(SEED)" $(KINDS)

check: ## format, lints, layering, and generated text up to date
	@scripts/setup check
	@if $(CARGO) fmt --version >/dev/null 2>&1; then \
	    $(RUN_CARGO) fmt --check && \
	    $(RUN_CARGO) fmt --manifest-path scripts/header/Cargo.toml --check; \
	else echo "check: skipped: the format, as cargo fmt was not found (rustup component add rustfmt)"; fi
	@if $(CARGO) clippy --version >/dev/null 2>&1; then \
	    $(RUN_CARGO) clippy --release --locked --all-targets -- -D warnings; \
	else echo "check: skipped: the lints, as cargo clippy was not found (rustup component add clippy)"; fi
	@$(RUN_CARGO) test --release --locked --test layering --quiet
	@$(MAKE) --no-print-directory build
	@$(TCLSH) scripts/generate.tcl --check
	@$(TCLSH) scripts/manual.tcl --check
	@$(WRITE_HEADER) -- --check

doc: ## write the generated pages under doc/ anew
	@scripts/setup doc
	@$(MAKE) --no-print-directory build
	@$(TCLSH) scripts/generate.tcl
	@$(TCLSH) scripts/manual.tcl
	@$(WRITE_HEADER)

# Installing takes what is built, so that `make && sudo make install` neither
# compiles as root nor needs cargo in root's PATH.
install: ## into $(DESTDIR)$(PREFIX)/lib/tcltk/kafka$(VERSION)
	@test -f $(PACKAGE)/pkgIndex.tcl || $(MAKE) --no-print-directory build
	@rm -rf "$(INSTALLDIR)"
	install -d "$(INSTALLDIR)/tcl"
	install -m 644 $(PACKAGE)/pkgIndex.tcl $(PACKAGE)/$(LIBFILE) "$(INSTALLDIR)"
	install -m 644 $(PACKAGE)/tcl/*.tcl "$(INSTALLDIR)/tcl"
	install -d "$(DESTDIR)$(PREFIX)/share/man/mann"
	install -m 644 doc/man/mann/*.n "$(DESTDIR)$(PREFIX)/share/man/mann"
	cd "$(DESTDIR)$(PREFIX)" && install -d bin share/man/man1 share/bash-completion/completions
	install -m 755 bin/kafkat "$(DESTDIR)$(PREFIX)/bin"
	install -m 644 doc/man/man1/kafkat.1 "$(DESTDIR)$(PREFIX)/share/man/man1"
	install -m 644 completions/kafkat.bash "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/kafkat"

install-dev: ## header, static library and kafkatcl.pc, for C programs that link the package in
	@test -f build/static/libkafkatcl.a || $(MAKE) --no-print-directory static
	install -d "$(DESTDIR)$(PREFIX)/include" "$(DESTDIR)$(PREFIX)/lib/pkgconfig"
	install -m 644 include/kafkatcl.h "$(DESTDIR)$(PREFIX)/include"
	install -m 644 build/static/libkafkatcl.a "$(DESTDIR)$(PREFIX)/lib"
	sed 's|@PREFIX@|$(PREFIX)|g' build/static/kafkatcl.pc.in \
	    > "$(DESTDIR)$(PREFIX)/lib/pkgconfig/kafkatcl.pc"

# Folders that install may have made go if nothing else is in them.
uninstall: ## remove what install and install-dev have put there
	rm -rf "$(INSTALLDIR)"
	rm -f "$(DESTDIR)$(PREFIX)/include/kafkatcl.h" "$(DESTDIR)$(PREFIX)/lib/libkafkatcl.a" \
	    "$(DESTDIR)$(PREFIX)/lib/pkgconfig/kafkatcl.pc"
	for page in doc/man/mann/*.n; do rm -f "$(DESTDIR)$(PREFIX)/share/man/mann/$${page##*/}"; done
	for file in bin/kafkat share/man/man1/kafkat.1 share/bash-completion/completions/kafkat; do \
	    rm -f "$(DESTDIR)$(PREFIX)/$$file"; done
	@cd "$(DESTDIR)$(PREFIX)" && rmdir lib/tcltk lib/pkgconfig share/man/mann share/man/man1 \
	    share/bash-completion/completions 2>/dev/null || true

dist: ## dist/kafka-VERSION.tar.gz: what git tracks and the crates, builds without a network
	@scripts/dist

deb: ## dist/tcl-kafka_VERSION-1_ARCH.deb, for the Debian or Ubuntu release that this is
	@scripts/setup deb
	@$(MAKE) --no-print-directory build
	@scripts/deb

test-deb: ## install it in a system of its own (for root), and use it there
	@scripts/test-deb

clean: ## remove build/, dist/ and cargo's output
	rm -rf build dist
	$(RUN_CARGO) clean

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	    while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done
	@echo
	@echo '  Variables: TCLSH=tclsh9.0  PREFIX=/usr  DESTDIR=...  CARGO_TARGET_DIR=...'
