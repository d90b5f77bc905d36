$(BUILD)/bench/reactor-dispatch: tests/bench/reactor/dispatch.c $(BUILD)/libreactor.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libreactor.a $(LDLIBS)

bench-reactor: $(BUILD)/bench/reactor-dispatch
	@tests/bench/reactor/run $<

.PHONY: bench-reactor
