/* lib/base/bucket: never more than the rate and one burst, never much less, never for nothing. */
#include "source/relay/bucket.h"

#include "base/units.h"
#include "tap.h"

/* Takes as much as may be, at most `most` a time, over `seconds`. Returns the bytes. */
static uint64_t carry(uint64_t rate, uint64_t most, int seconds, uint64_t *looks)
{
	int64_t now = 7 * NS_PER_S, end = now + seconds * NS_PER_S;
	struct bucket b = {0};
	uint64_t total = 0;

	for (*looks = 0; now < end; ++*looks) {
		uint64_t n = bucket_allows(&b, rate, now);

		if (n > most)
			n = most;
		if (n > 0)
			bucket_take(&b, rate, now, n);
		total += n;
		now += n < most ? bucket_wait(&b, rate, now) : 1000;
	}
	return total;
}

static void test_rates(void)
{
	static const uint64_t rates[] = {1,  2,    3,     7,       10,
					 11, 1000, 65536, 1000003, UINT64_C(1) << 30};

	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		uint64_t looks, total = carry(rates[i], 65536, 10, &looks);

		OK(total <= rates[i] * 10 + rates[i] / 10 + 1, "%llu/s: no more (%llu in 10 s)",
		   (unsigned long long)rates[i], (unsigned long long)total);
		OK(total >= rates[i] * 10 * 98 / 100 - 1, "%llu/s: no less",
		   (unsigned long long)rates[i]);
		OK(looks < 220 + rates[i] * 10 / 65536 * 2, "%llu/s: few looks (%llu)",
		   (unsigned long long)rates[i], (unsigned long long)looks);
	}
}

static void test_edges(void)
{
	struct bucket b = {0};

	SAME(bucket_wait(&b, 1, 0), 0, "a full bucket need not be waited for");
	bucket_take(&b, 1000, NS_PER_S, 500);
	SAME(bucket_allows(&b, 1000, NS_PER_S), 0, "a debt allows nothing");
	SAME(bucket_wait(&b, 1000, NS_PER_S), NS_PER_S / 2 - NS_PER_S / 20,
	     "it is waited for until half a burst may go");
	SAME(bucket_allows(&b, 1000, 9 * NS_PER_S), 100, "a long rest saves up one burst");
	b = (struct bucket){0};
	OK(bucket_allows(&b, UINT64_MAX, NS_PER_S) >= UINT64_C(1) << 32, "any rate does");
	bucket_take(&b, UINT64_MAX, NS_PER_S, 65536);
	OK(bucket_allows(&b, UINT64_MAX, NS_PER_S) >= UINT64_C(1) << 31, "and does not run dry");
}

int main(void)
{
	test_rates();
	test_edges();
	return tap_done();
}
