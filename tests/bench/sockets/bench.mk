# bench-sockets: relays and listeners, beside hand-written floors and the peers that are installed.
BENCH_SOCKETS = $(patsubst %,$(BUILD)/bench/sockets/%,load floor spawn)

$(BUILD)/bench/sockets/%: tests/bench/sockets/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -std=c11 -D_GNU_SOURCE -Wall -Wextra -o $@ $<

bench-sockets: all $(BENCH_SOCKETS)
	@tests/bench/sockets/run $(BUILD)


# A storm of 100,000 connections on each backend: minutes, so no part of the tests, which have a smaller one.
soak-sockets: all
	@for b in epoll io_uring poll select; do \
		echo "# $$b"; EVWATCH=$$PWD/$(BUILD)/evwatch EVWATCH_BACKEND=$$b STORM=100000 PATIENCE=600 \
		bats tests/relay-many.bats || exit 1; done

.PHONY: bench-sockets soak-sockets
