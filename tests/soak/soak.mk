# What takes minutes and is no part of the tests, which have a smaller one of each.
soak-sockets: all
	@tests/soak/held $(BUILD)/evwatch 9500
	@tests/soak/held $(BUILD)/evwatch 18000 --workers 2
	@CONNECTIONS=10000 FILES="tests/listen-limits.bats tests/scripts.bats" tests/run $(BUILD)
	@STORM=100000 PATIENCE=800 BATS_TEST_TIMEOUT=900 FILES=tests/relay-many.bats tests/run $(BUILD)

# A target that is killed every second: 20,000 connections, in one process and by two workers.
soak-storm: all
	@tests/soak/flapping $(BUILD)/evwatch 20000
	@tests/soak/flapping $(BUILD)/evwatch 20000 --workers 2
	@tests/soak/flapping $(BUILD)/evwatch 20000 --balance least-conn --check 200ms

soak-jobs: all $(BUILD)/soak/mark $(BUILD)/bench/jobs/emit
	@tests/soak/jobs $(BUILD)

# 200 kills of guardian and loop: no line lost.
soak-lines: all
	@d=$$(mktemp -d) && cd $$d && python3 $(CURDIR)/tests/catch_up.py $(CURDIR)/$(BUILD)/evwatch 200 2 7; s=$$?; rm -rf $$d; exit $$s

# An evwatch that others live with: reloads and requests beside its work.
soak-operate: all
	@tests/soak/reload $(BUILD)/evwatch
	@tests/soak/control $(BUILD)/evwatch

# What strangers may do, each for half a minute, beside a timer that must miss no tick.
soak-hostile: all
	@tests/soak/hostile $(BUILD)/evwatch 30

$(BUILD)/soak/%: tests/soak/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -std=c11 -D_GNU_SOURCE -Wall -Wextra -static -o $@ $<

.PHONY: soak-sockets soak-storm soak-jobs soak-lines soak-operate soak-hostile
