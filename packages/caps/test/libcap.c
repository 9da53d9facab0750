// Asks libcap, for libcap.test.ts. Each line of the input is one question, and each line of the output its answer:
// "parse TEXT" with TEXT in hexadecimal: the effective, permitted and inheritable set of cap_from_text(3), or "refused";
// "format EFFECTIVE PERMITTED INHERITABLE" with bits in hexadecimal: the text of cap_to_text(3).
// "41": the name of that capability, or the number where libcap has no name.
// LAST_CAPABILITY in the environment is the last capability of the kernel as libcap shall see it.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

static const cap_flag_t flags[] = {CAP_EFFECTIVE, CAP_PERMITTED, CAP_INHERITABLE};

// Replaces the function of the C library. libcap asks the kernel for its last capability before main begins, and gets the
// answer from here.
int prctl(int option, ...)
{
	const char *value = getenv("LAST_CAPABILITY");
	unsigned long last = value ? strtoul(value, NULL, 10) : 63;
	__builtin_va_list list;
	__builtin_va_start(list, option);
	unsigned long capability = __builtin_va_arg(list, unsigned long);
	__builtin_va_end(list);
	if (option == PR_CAPBSET_READ && capability <= last) return 1;
	errno = EINVAL;
	return -1;
}

static void parse(char *hex)
{
	char *text = hex, *end = hex;
	for (; hex[0] && hex[1]; hex += 2) {
		char digits[] = {hex[0], hex[1], 0};
		*end++ = (char)strtoul(digits, NULL, 16);
	}
	*end = 0;
	cap_t caps = cap_from_text(text);
	if (!caps) {
		puts("refused");
		return;
	}
	for (int each = 0; each < 3; each++) {
		unsigned long long bits = 0;
		for (int number = 0; number < 64; number++) {
			cap_flag_value_t value = CAP_CLEAR;
			if (cap_get_flag(caps, number, flags[each], &value) == 0 && value == CAP_SET) bits |= 1ULL << number;
		}
		printf("%llx%c", bits, each < 2 ? ' ' : '\n');
	}
	cap_free(caps);
}

static void format(char *sets)
{
	cap_t caps = cap_init();
	for (int each = 0; each < 3; each++) {
		unsigned long long bits = strtoull(sets, &sets, 16);
		for (cap_value_t number = 0; number < 64; number++) {
			if (bits >> number & 1) cap_set_flag(caps, flags[each], 1, &number, CAP_SET);
		}
	}
	char *text = cap_to_text(caps, NULL);
	puts(text ? text : "refused");
	cap_free(text);
	cap_free(caps);
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;
	while (getline(&line, &size, stdin) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "parse ", 6) == 0) parse(line + 6);
		else if (strncmp(line, "format ", 7) == 0) format(line + 7);
		else puts(cap_to_name((cap_value_t)strtoul(line, NULL, 10)));
	}
	free(line);
	return 0;
}
