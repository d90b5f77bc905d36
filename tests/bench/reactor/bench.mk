# bench-reactor: our loop on each backend, beside a floor by hand and the peers whose -dev packages
# are there. STAGES="timers million" does a part of it. What the peers' headers warn of is not ours.
BENCH_REACTOR = $(BUILD)/bench/reactor
has = $(shell echo '\#include <$(1)>' | $(CC) -E - >/dev/null 2>&1 && echo yes)
WITH_libevent := $(if $(call has,event2/event.h),libevent)
WITH_libev := $(if $(call has,ev.h),libev)
WITH_libuv := $(if $(call has,uv.h),libuv)
BENCH_PEERS = $(WITH_libevent) $(WITH_libev) $(WITH_libuv)
BENCH_REACTOR_OBJ = $(patsubst %,$(BENCH_REACTOR)/%.o,bench cases timer_cases event_cases floor floor_heap evwatch $(BENCH_PEERS))
BENCH_REACTOR_LIBS = $(if $(WITH_libevent),-levent_core -levent_pthreads) $(if $(WITH_libev),-lev) \
		     $(if $(WITH_libuv),-luv)

$(BENCH_REACTOR)/lib%.o: tests/bench/reactor/lib%.c tests/bench/reactor/adapter.h
	@mkdir -p $(@D)
	$(CC) -O2 -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wno-strict-aliasing -c -o $@ $<

$(BENCH_REACTOR)/%.o: tests/bench/reactor/%.c $(wildcard tests/bench/reactor/*.h) $(BUILD)/libreactor.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Ilib/reactor $(CFLAGS) $(BENCH_PEERS:lib%=-DWITH_lib%) -c -o $@ $<

$(BENCH_REACTOR)/bench: $(BENCH_REACTOR_OBJ) $(BUILD)/libreactor.a
	$(CC) $(LDFLAGS) -o $@ $^ $(BENCH_REACTOR_LIBS) $(LDLIBS)

$(BENCH_REACTOR)/true: tests/bench/jobs/true.c
	@mkdir -p $(@D)
	$(CC) -O2 -static -o $@ $<

bench-reactor: $(BENCH_REACTOR)/bench $(BENCH_REACTOR)/true
	@tests/bench/reactor/run $(BENCH_REACTOR) $(STAGES)

.PHONY: bench-reactor
