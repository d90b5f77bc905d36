# What some unit tests are linked with.
$(BUILD)/unit/test_reactor_clock: tests/shim/clock.c

# The same again, where the kernel has none of what lib/reactor/linux.h wants.
PLAIN_TESTS = $(patsubst %,$(BUILD)/unit/test_reactor_plain_%,children clock signals threads timers)
units: $(PLAIN_TESTS)
$(BUILD)/unit/test_reactor_plain_clock: tests/shim/clock.c
$(PLAIN_TESTS): $(BUILD)/unit/test_reactor_plain_%: tests/unit/test_reactor_%.c tests/unit/plain_linux.c $(BUILD)/libevwatch.a
	$(SAY) CC $@
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^) $(BUILD)/libevwatch.a $(LDLIBS)

# These count what the library calls, and let it fail.
COUNTED = malloc calloc realloc aligned_alloc syscall epoll_create1 epoll_ctl epoll_wait ppoll poll mmap pipe2 eventfd \
	  timerfd_create timerfd_settime signalfd socketpair sigaction waitpid read recv send write
COUNTING = $(addprefix $(BUILD)/unit/test_reactor_,calls faults kernel shortage)
$(COUNTING): tests/shim/calls.c
$(COUNTING): LDFLAGS += $(COUNTED:%=-Wl,--wrap=%)

# Of a kernel without lists of children; and their clocks can run fast.
$(BUILD)/unit/test_family: LDFLAGS += -Wl,--wrap=access -Wl,--wrap=clock_read
$(BUILD)/unit/test_net_listener: LDFLAGS += -Wl,--wrap=clock_gettime
