# What takes minutes and is no part of the tests, which have a smaller one of each.
soak-sockets: all
	@tests/soak/held $(BUILD)/evwatch 9500
	@tests/soak/held $(BUILD)/evwatch 18000 --workers 2
	@CONNECTIONS=10000 FILES=tests/listen-limits.bats tests/run $(BUILD)
	@STORM=100000 PATIENCE=800 BATS_TEST_TIMEOUT=900 FILES=tests/relay-many.bats tests/run $(BUILD)

.PHONY: soak-sockets
