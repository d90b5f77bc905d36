/*
 * Linked into coverage builds alone: the counts are written also where the process ends by a signal
 * that it sends itself, or by _exit, as evwatch and its guardian do.
 */
void __gcov_dump(void);
int __real_raise(int number);
void __real__exit(int status) __attribute__((noreturn));
int __wrap_raise(int number);
void __wrap__exit(int status) __attribute__((noreturn));

int __wrap_raise(int number)
{
	__gcov_dump();
	return __real_raise(number);
}

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}
