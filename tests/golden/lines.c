/* For the oracle: a line in hexadecimal in, what is written anew for it out, an empty line if it is no file's record. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/scp.h"

static size_t lines_bytes(const char *hex, uint8_t *to)
{
	size_t n = 0;
	unsigned byte;
	while (sscanf(hex + 2 * n, "%2x", &byte) == 1)
		to[n++] = (uint8_t)byte;
	return n;
}

int main(void)
{
	static char hex[8192];
	static uint8_t bytes[4096], written[SCP_PUT_MAX];
	while (fgets(hex, sizeof(hex), stdin) != NULL) {
		struct scp_reader reader;
		struct scp_record record;
		struct span in = span_of(bytes, lines_bytes(hex, bytes));
		scp_init(&reader);
		bool file = scp_next_record(&reader, &in, &record) == SCP_FILE && in.n == 0;
		size_t n = file ? scp_put(written, SCP_FILE, &record) : 0;
		for (size_t i = 0; i < n; i++)
			printf("%02x", written[i]);
		putchar('\n');
	}
	return 0;
}
