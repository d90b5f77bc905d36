# bench-match: the matcher alone beside grep.
$(BUILD)/bench/match/%: tests/bench/match/%.c $(BUILD)/libevwatch.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libevwatch.a $(LDLIBS)

bench-match: $(BUILD)/bench/match/match
	@tests/bench/match/run $(BUILD)

.PHONY: bench-match
