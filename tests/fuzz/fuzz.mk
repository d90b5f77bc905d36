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

# libFuzzer chooses what it is given: an expression and a text (no answer but regexec's, none too slow), a configuration
# of git with what it includes, ...
LIBFUZZER = $(patsubst tests/fuzz/%_libfuzzer.c,fuzz-%-libfuzzer,$(wildcard tests/fuzz/*_libfuzzer.c))
$(LIBFUZZER): fuzz-%-libfuzzer:
	$(MAKE) BUILD=build/libfuzzer CC=clang HARDEN= SANITIZE="-fsanitize=address,undefined,fuzzer-no-link" \
	    OPT="-O1 -g" build/libfuzzer/libevwatch.a
	clang $(CPPFLAGS) -Itests/unit -std=c11 -O1 -g -fsanitize=address,undefined,fuzzer -o build/libfuzzer/$* \
	    tests/fuzz/$*_libfuzzer.c build/libfuzzer/libevwatch.a
	@mkdir -p build/libfuzzer/found-$*
	@build/libfuzzer/$* $(CURDIR)/build/libfuzzer/found-$* -max_total_time=$(SECONDS_OF) -max_len=4096 -verbosity=0 -print_final_stats=1 \
	    -artifact_prefix=$(CURDIR)/build/libfuzzer/ $(addprefix -dict=$(CURDIR)/,$(wildcard tests/fuzz/$*.dict))

.PHONY: fuzz-file fuzz-lines fuzz-proxy fuzz-rules fuzz-match $(LIBFUZZER)
