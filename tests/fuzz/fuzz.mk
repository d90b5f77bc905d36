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

# PAIRS of an expression and a text, beside regexec(3).
PAIRS ?= 1000000
$(BUILD)/fuzz/match: CPPFLAGS += -Itests/unit
fuzz-match: $(BUILD)/fuzz/match
	@$(BUILD)/fuzz/match $(PAIRS) $(SEED)

# libFuzzer chooses expression and text: no crash, no answer but regexec's, none too slow.
fuzz-match-libfuzzer:
	$(MAKE) BUILD=build/libfuzzer CC=clang HARDEN= SANITIZE="-fsanitize=address,undefined,fuzzer-no-link" \
	    OPT="-O1 -g" build/libfuzzer/libevwatch.a
	clang $(CPPFLAGS) -Itests/unit -std=c11 -O1 -g -fsanitize=address,undefined,fuzzer -o build/libfuzzer/match \
	    tests/fuzz/match_libfuzzer.c build/libfuzzer/libevwatch.a
	@build/libfuzzer/match -max_total_time=$(SECONDS_OF) -max_len=4096 -verbosity=0 -artifact_prefix=build/libfuzzer/ -print_final_stats=1

.PHONY: fuzz-file fuzz-lines fuzz-proxy fuzz-rules fuzz-match fuzz-match-libfuzzer
