# Random input for SECONDS_OF seconds.
SECONDS_OF ?= 60

$(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/libevwatch.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libevwatch.a $(LDLIBS)

# Each round is random, and repeated by its seed: see tests/fuzz/file.
fuzz-file: all
	@PYTHONDONTWRITEBYTECODE=1 tests/fuzz/file $(BUILD)/evwatch --seconds $(SECONDS_OF) $(FUZZ)

fuzz-lines: all
	@PYTHONDONTWRITEBYTECODE=1 tests/fuzz/lines $(BUILD)/evwatch --seconds $(SECONDS_OF) $(FUZZ)

fuzz-proxy:
	$(MAKE) $(SANITIZED) build/asan/fuzz/proxy_header
	@build/asan/fuzz/proxy_header $(SECONDS_OF) $(SEED)

fuzz-rules:
	$(MAKE) $(SANITIZED) build/asan/fuzz/rules
	@build/asan/fuzz/rules $(SECONDS_OF) $(SEED)

.PHONY: fuzz-file fuzz-lines fuzz-proxy fuzz-rules
