# bench-jobs: what running commands costs, beside the hand-written floor and the peers installed.
BENCH_JOBS = $(patsubst %,$(BUILD)/bench/jobs/%,floor floor_group true emit ballast.so) $(BUILD)/bench/files/latency \
	     $(BUILD)/bench/files/stamp

$(BUILD)/bench/jobs/true: tests/bench/jobs/true.c
	@mkdir -p $(@D)
	$(CC) -O2 -static -o $@ $<

$(BUILD)/bench/jobs/ballast.so: tests/bench/jobs/ballast.c
	@mkdir -p $(@D)
	$(CC) -O2 -shared -fPIC -D_GNU_SOURCE -Wall -Wextra -o $@ $<

$(BUILD)/bench/jobs/%: tests/bench/jobs/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -std=c11 -D_GNU_SOURCE -Wall -Wextra -static -o $@ $<

bench-jobs: all $(BENCH_JOBS)
	@tests/bench/jobs/run $(BUILD)

.PHONY: bench-jobs
