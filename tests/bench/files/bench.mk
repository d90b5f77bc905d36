# bench-files: what `file` costs, beside the hand-written floor and the peers that are installed.
BENCH_FILES = $(addprefix $(BUILD)/bench/files/,floor stamp latency armed)

$(BUILD)/bench/files/%: tests/bench/files/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -std=c11 -D_GNU_SOURCE -Wall -Wextra -o $@ $<

bench-files: all $(BENCH_FILES)
	@tests/bench/files/run $(BUILD)

.PHONY: bench-files
