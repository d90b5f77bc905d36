/*
 * System calls that leave errno alone. A child that runs in our memory while we go on has our
 * thread pointer, too: what it wrote to errno would be read here as the failure of another call.
 */
#ifndef EVWATCH_PROCESS_BARE_H
#define EVWATCH_PROCESS_BARE_H

#include <stdbool.h>

/* For code that runs in another process' memory, where a sanitizer's own state is not its own. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined")))

/* syscall(2) with up to four arguments, and 0 for a fifth; returns what the kernel does: failures
 * as -errno. */
#if defined __x86_64__

#define CALLS_ARE_BARE true

IN_CHILD static inline long bare_call(long number, long a, long b, long c, long d)
{
	register long fourth __asm__("r10") = d;
	register long fifth __asm__("r8") = 0;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined __aarch64__

#define CALLS_ARE_BARE true

IN_CHILD static inline long bare_call(long number, long a, long b, long c, long d)
{
	register long which __asm__("x8") = number;
	register long first __asm__("x0") = a;
	register long second __asm__("x1") = b;
	register long third __asm__("x2") = c;
	register long fourth __asm__("x3") = d;
	register long fifth __asm__("x4") = 0;

	__asm__ volatile("svc 0"
			 : "+r"(first)
			 : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth)
			 : "memory");
	return first;
}

#else

#include <errno.h>
#include <unistd.h>

#define CALLS_ARE_BARE false /* a child must not run beside its parent */

IN_CHILD static inline long bare_call(long number, long a, long b, long c, long d)
{
	long result = syscall(number, a, b, c, d, 0L);

	return result < 0 ? -errno : result;
}

#endif

#endif
