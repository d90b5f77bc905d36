# bench-sockets: relays and listeners, beside hand-written floors and the peers that are installed.
BENCH_SOCKETS = $(patsubst %,$(BUILD)/bench/sockets/%,load paired floor spawn uring)

$(BUILD)/bench/sockets/%: tests/bench/sockets/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -std=c11 -D_GNU_SOURCE -Wall -Wextra -o $@ $<

bench-sockets: all $(BENCH_SOCKETS)
	@tests/bench/sockets/run $(BUILD)

.PHONY: bench-sockets
