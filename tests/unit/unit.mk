# What some unit tests are linked with.
$(BUILD)/unit/test_reactor_clock: tests/shim/clock.c

# These count what the library calls, and let it fail.
COUNTED = malloc calloc realloc aligned_alloc syscall epoll_create1 epoll_ctl epoll_wait ppoll poll mmap eventfd \
	  timerfd_create timerfd_settime signalfd socketpair sigaction waitpid read recv send write
COUNTING = $(addprefix $(BUILD)/unit/test_reactor_,calls faults kernel shortage)
$(COUNTING): tests/shim/calls.c
$(COUNTING): LDFLAGS += $(COUNTED:%=-Wl,--wrap=%)
