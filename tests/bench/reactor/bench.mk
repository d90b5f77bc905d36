# bench-reactor: the loop's own cost, beside a floor by hand and the peers whose -dev packages are there.
PEERS = $(shell echo '\#include <ev.h>\n\#include <event2/event.h>\n\#include <uv.h>' | \
	  $(CC) -E - >/dev/null 2>&1 && echo $(BUILD)/bench/reactor/peers)

$(BUILD)/bench/reactor/dispatch: tests/bench/reactor/dispatch.c $(BUILD)/libreactor.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libreactor.a $(LDLIBS)

$(BUILD)/bench/reactor/peers: tests/bench/reactor/peers.c
	@mkdir -p $(@D)
	$(CC) -O2 -D_GNU_SOURCE -Wall -Wextra -Wno-strict-aliasing -o $@ $< -levent -lev -luv

bench-reactor: $(BUILD)/bench/reactor/dispatch
	@$(MAKE) -s $(PEERS)
	@tests/bench/reactor/run $(BUILD)/bench/reactor

.PHONY: bench-reactor
