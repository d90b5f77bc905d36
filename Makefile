# evwatch: libc only. Everything that is made goes into build/.
#   make            build/evwatch and build/libreactor.a
#   make test       all tests; the last line is "N passed, N failed"
#   make check      lint, and the tests again under ASan and UBSan

VERSION = 0.1.0
PREFIX ?= /usr/local
BUILD ?= build
CC ?= cc

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
       -Wformat=2 -Wvla -Werror
HARDEN ?= -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2
OPT ?= -O2 -g
CFLAGS += -std=c11 $(OPT) $(WARN) $(HARDEN)
CPPFLAGS += -D_GNU_SOURCE -DEVWATCH_VERSION='"$(VERSION)"' -Ilib -MMD -MP
LDFLAGS += -pie -Wl,-z,relro,-z,now $(SANITIZE)
CFLAGS += $(SANITIZE)

LIB_SRC = $(sort $(shell find lib -name '*.c'))
CMD_SRC = $(sort $(wildcard cmd/evwatch/*.c))
UNIT_SRC = $(sort $(wildcard tests/unit/test_*.c))
LIB_OBJ = $(LIB_SRC:%.c=$(BUILD)/%.o)
CMD_OBJ = $(CMD_SRC:%.c=$(BUILD)/%.o)
UNIT_BIN = $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
REACTOR_OBJ = $(filter $(BUILD)/lib/reactor/% $(BUILD)/lib/base/%,$(LIB_OBJ))

all: $(BUILD)/evwatch $(BUILD)/libreactor.a

$(BUILD)/evwatch: $(CMD_OBJ) $(BUILD)/libevwatch.a
	$(CC) $(LDFLAGS) -o $@ $^ -lpthread

$(BUILD)/libreactor.a: $(REACTOR_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libevwatch.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libevwatch.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libevwatch.a -lpthread

units: $(UNIT_BIN)

clean:
	rm -rf $(BUILD)

.PHONY: all units clean
-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(UNIT_BIN:=.d)
