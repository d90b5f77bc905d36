# bench-time: what an answer about schedules costs, and how late ticks are.
BENCH_TIME = $(BUILD)/bench/time/answers $(BUILD)/bench/time/ticks

$(BUILD)/bench/time/%: tests/bench/time/%.c $(BUILD)/libevwatch.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libevwatch.a $(LDLIBS)

# SECONDS_OF_TICKS= how long the ticks are watched (60)
bench-time: all $(BENCH_TIME)
	@tests/bench/time/run $(BUILD)

.PHONY: bench-time
