# bench-udp: the UDP relay beside nginx and hand-written floors.
$(BUILD)/bench/udp/udp: tests/bench/udp/udp.c
	@mkdir -p $(@D)
	$(CC) -O2 -std=c11 -D_GNU_SOURCE -Wall -Wextra -o $@ $<

bench-udp: all $(BUILD)/bench/udp/udp
	@tests/bench/udp/run $(BUILD)

.PHONY: bench-udp
