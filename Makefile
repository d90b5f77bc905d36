# evwatch: libc only. Everything that is made goes into build/.
#
#   make              build/evwatch and build/libreactor.a
#   make tour         build/tour/: seven servers for who wants to learn (lib/reactor/tour)
#   make demo         a few seconds that show what it does
#   make test         all tests; the last line is "N passed, N failed"
#   make check        lint, and the tests again under ASan and UBSan
#   make valgrind     the tests under memcheck
#   make analyze      the analyzer of GCC, which must find nothing
#   make inject       every system call fails in turn
#   make fuzz-X       random input, SECONDS_OF=60: file, lines, proxy, rules; and X-libfuzzer: git, match, messages, rules
#   make soak-sockets 100,000 connections in a storm, 18,000 held
#   make soak-storm   20,000 connections while a target is killed every second: each has its exact bytes
#   make soak-lines   lines --catch-up, killed 200 times under rotation: no line lost
#   make soak-jobs    1,000,000 runs, 100,000 grouped outputs: none lost, in bounded memory
#   make soak-hostile hostile lines, a stopped child, silent peers, a resolver that hangs: no tick missed
#   make soak-operate 100 reloads beside 1,000 connections, 10,000 status requests
#   make bench        what it costs, beside peers and hand-written floors
#   make static       a static binary with musl: build/static/evwatch
#   make install      DESTDIR= PREFIX=
#   make deb          a Debian package: build/evwatch_VERSION_ARCH.deb
#   make dist         the sources: build/evwatch-VERSION.tar.gz

VERSION = 0.2.0
PREFIX ?= /usr/local
BUILD ?= build
CC ?= cc

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
       -Wformat=2 -Wvla -Werror
# What this compiler and C library have of it: musl no FORTIFY_SOURCE, old ones no level 3.
can = $(shell echo 'int x;' | $(CC) -Werror -O2 $(1) -x c -c -o /dev/null - 2>/dev/null && echo $(1))
fortify = $(shell printf '\043include <string.h>\n\043if __USE_FORTIFY_LEVEL < $(1)\n\043error\n\043endif\n' | \
	  $(CC) -O2 -D_FORTIFY_SOURCE=$(1) -x c -fsyntax-only - 2>/dev/null && echo -D_FORTIFY_SOURCE=$(1))
HARDEN ?= -fPIE -fstack-protector-strong $(call can,-fstack-clash-protection) $(call can,-fcf-protection) \
	  $(or $(call fortify,3),$(call fortify,2))
HARDEN := $(HARDEN)
OPT ?= -O2 -g
LINK ?= -pie
CFLAGS += -std=c11 -fvisibility=hidden $(OPT) $(WARN) $(HARDEN) $(SANITIZE)
CPPFLAGS += -D_GNU_SOURCE -DEVWATCH_VERSION='"$(VERSION)"' -Ilib -MMD -MP
RELRO = -Wl,-z,relro,-z,now
LDFLAGS += $(LINK) $(RELRO) $(SANITIZE)
LDLIBS += -lpthread

LIB_SRC = $(sort $(shell find lib -name '*.c' -not -path '*/tour/*'))
CMD_SRC = $(sort $(wildcard cmd/evwatch/*.c))
UNIT_SRC = $(sort $(wildcard tests/unit/test_*.c))
LIB_OBJ = $(LIB_SRC:%.c=$(BUILD)/%.o)
CMD_OBJ = $(CMD_SRC:%.c=$(BUILD)/%.o)
UNIT_BIN = $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
REACTOR_OBJ = $(filter $(BUILD)/lib/reactor/%,$(LIB_OBJ))
OBJCOPY ?= objcopy
SANITIZED = BUILD=build/asan SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all" HARDEN= OPT="-O1 -g"

COVERED = BUILD=build/coverage OPT="-O0 -g --coverage" HARDEN= \
	  LINK="--coverage -Wl,--wrap=raise,--wrap=_exit tests/coverage_dump.c"

# One short line a file; V=1 shows the commands.
Q = $(if $(V),,@)
SAY = $(if $(V),@:,@printf '  %-5s %s\n')

all: $(BUILD)/evwatch $(BUILD)/libreactor.a

$(BUILD)/evwatch: $(CMD_OBJ) $(BUILD)/libevwatch.a
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# One object: what of lib/base it needs is in it, and only what reactor.h declares can be seen.
$(BUILD)/libreactor.a: $(REACTOR_OBJ) $(BUILD)/base.a
	$(SAY) AR $@
	@rm -f $@
	$(Q)$(LD) -r -o $(BUILD)/reactor.o $^
	$(Q)$(OBJCOPY) --localize-hidden $(BUILD)/reactor.o
	$(Q)$(AR) rcs $@ $(BUILD)/reactor.o

# lib/reactor/tour/README.md leads through them.
tour: $(patsubst lib/reactor/tour/%.c,$(BUILD)/tour/%,$(wildcard lib/reactor/tour/*.c))
$(BUILD)/tour/%: lib/reactor/tour/%.c lib/reactor/tour/server.h $(BUILD)/libreactor.a
	$(SAY) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Ilib/reactor $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.a,$^) $(LDLIBS)

# Their flags decide what can be seen.
$(REACTOR_OBJ) $(filter $(BUILD)/lib/base/%,$(LIB_OBJ)): Makefile
$(BUILD)/base.a: $(filter $(BUILD)/lib/base/%,$(LIB_OBJ))
$(BUILD)/libevwatch.a: $(LIB_OBJ)
$(BUILD)/base.a $(BUILD)/libevwatch.a:
	$(SAY) AR $@
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	$(SAY) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libevwatch.a
	$(SAY) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^) $(BUILD)/libevwatch.a $(LDLIBS)

units: $(UNIT_BIN)

test: all units
	@tests/run $(BUILD)

demo: all
	@tests/demo $(BUILD)/evwatch

house:
	@tests/house

lint: house
	@tests/lint

check: lint asan

asan:
	$(MAKE) $(SANITIZED) all units
	@tests/run build/asan

# GCC's analyzer over each file: minutes, and not a part of check. What it says of leaks is wrong where a pointer is stored in
# an array that may move; the sanitizers look for those.
analyze:
	@printf '%s\n' $(LIB_SRC) $(CMD_SRC) | xargs -P2 -I{} gcc -std=c11 -D_GNU_SOURCE -DEVWATCH_VERSION='"$(VERSION)"' -Ilib \
	    -O1 -fanalyzer -Wno-analyzer-malloc-leak -Werror -c -o /dev/null {}

# Minutes; not a part of check.
valgrind:
	$(MAKE) BUILD=build/memcheck OPT="-O1 -g -DSTARTS_WAIT" all units
	@tests/valgrind build/memcheck

# Minutes: every system call fails, many times, with each errno; a part of it is in the suite.
inject: all
	@tests/inject $(BUILD)/evwatch

bench: all
	@tests/bench/size $(BUILD)/evwatch

# A folder of tests adds its own targets.
-include $(wildcard tests/*/*.mk tests/bench/*/bench.mk)

coverage:
	$(MAKE) $(COVERED) all units
	@tests/coverage build/coverage

# The files that one written file goes through.
crossings:
	$(MAKE) $(COVERED) all
	@tests/crossings build/coverage

# The kernel's headers stand behind musl's own; its macros convert signs, so fewer warnings. Nothing is relocated
# here: what RELRO would protect are 300 bytes, for which the linker fills a page. It fills another where the data would
# then take a page less of memory; with small common pages it does not.
KERNEL_HEADERS = -idirafter /usr/include -idirafter /usr/include/$(shell uname -m)-linux-gnu
static:
	$(MAKE) BUILD=build/static CC=musl-gcc AR=gcc-ar LINK="-static -no-pie -flto-partition=one -Wl,--gc-sections,--build-id=none,-z,noseparate-code,-z,common-page-size=64,--sort-section=alignment" RELRO=-Wl,-z,norelro HARDEN=-fstack-protector-strong \
	    OPT="-Oz -flto=auto -fno-pie -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables $(KERNEL_HEADERS)" WARN="-Wall -Wextra -Werror" build/static/evwatch
	strip -R .comment -o build/static/evwatch.stripped build/static/evwatch
	mv build/static/evwatch.stripped build/static/evwatch

SHARE = $(DESTDIR)$(PREFIX)/share
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd
COMPLETIONS = bash-completion/completions/evwatch zsh/site-functions/_evwatch fish/vendor_completions.d/evwatch.fish

# What a program needs that is built on the reactor alone.
install-reactor: $(BUILD)/libreactor.a
	install -D -m 644 man/reactor.3 $(DESTDIR)$(PREFIX)/share/man/man3/reactor.3
	install -D -m 644 lib/reactor/reactor.h $(DESTDIR)$(PREFIX)/include/reactor.h
	install -D -m 644 $(BUILD)/libreactor.a $(DESTDIR)$(PREFIX)/lib/libreactor.a
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig
	sed 's,@PREFIX@,$(PREFIX),; s,@VERSION@,$(VERSION),' lib/reactor/reactor.pc.in \
	    >$(DESTDIR)$(PREFIX)/lib/pkgconfig/reactor.pc

install: install-evwatch install-reactor

install-evwatch: all
	install -D -m 755 $(BUILD)/evwatch $(DESTDIR)$(PREFIX)/bin/evwatch
	install -D -m 644 man/evwatch.1 $(SHARE)/man/man1/evwatch.1
	install -D -m 644 man/evwatch-rules.5 $(SHARE)/man/man5/evwatch-rules.5
	install -D -m 644 man/evwatch-tutorial.7 $(SHARE)/man/man7/evwatch-tutorial.7
	for c in $(COMPLETIONS); do shell=$${c%%[-/]*}; mkdir -p $(SHARE)/$${c%/*}; \
	    $(BUILD)/evwatch completions $$shell >$(SHARE)/$$c; done
	install -D -m 644 man/evwatch@.service $(UNITS)/system/evwatch@.service
	install -D -m 644 man/evwatch-user@.service $(UNITS)/user/evwatch@.service
	sed -i 's,/usr/bin/evwatch,$(PREFIX)/bin/evwatch,' $(UNITS)/system/evwatch@.service $(UNITS)/user/evwatch@.service

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/include/reactor.h $(DESTDIR)$(PREFIX)/lib/libreactor.a \
	    $(DESTDIR)$(PREFIX)/lib/pkgconfig/reactor.pc $(SHARE)/man/man3/reactor.3
	rm -f $(DESTDIR)$(PREFIX)/bin/evwatch $(SHARE)/man/man1/evwatch.1 $(SHARE)/man/man5/evwatch-rules.5 \
	    $(SHARE)/man/man7/evwatch-tutorial.7 $(COMPLETIONS:%=$(SHARE)/%) $(UNITS)/system/evwatch@.service $(UNITS)/user/evwatch@.service

deb: all
	@.packages/deb $(BUILD) $(VERSION)

# In a clean system, which debootstrap brings.
deb-try: deb
	@.packages/try $(BUILD)/evwatch_$(VERSION)_$$(dpkg --print-architecture).deb

dist:
	@mkdir -p $(BUILD)
	git archive --prefix=evwatch-$(VERSION)/ HEAD | gzip -9n >$(BUILD)/evwatch-$(VERSION).tar.gz

clean:
	rm -rf build

.PHONY: all units tour test demo house lint check asan analyze valgrind inject bench coverage crossings static install install-reactor uninstall deb deb-try dist clean
-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(UNIT_BIN:=.d)
