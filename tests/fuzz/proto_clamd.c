/* clamd's replies: the first byte names the command, the second where to cut. Any cut gives the same reply; text lies within the line. */
#include <stdint.h>
#include <stdlib.h>

#include "proto/clamd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct clamd_reader *reader)
{
	const uint8_t *end = reader->line + reader->length;
	if (reader->text.n > 0 && (reader->text.p < reader->line || reader->text.p + reader->text.n > end))
		abort();
	if ((reader->reply == CLAMD_FOUND || reader->reply == CLAMD_TEXT) && reader->text.n == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	enum clamd_command command = (enum clamd_command)(data[0] & 3);
	struct span input = span_of(data + 2, size - 2);
	struct clamd_reader whole, cut, bytes;
	clamd_reader_init(&whole, command);
	clamd_reader_init(&cut, command);
	clamd_reader_init(&bytes, command);
	(void)clamd_next(&whole, input);
	check(&whole);
	struct span rest = input, front = span_take(&rest, data[1]);
	(void)clamd_next(&cut, front);
	(void)clamd_next(&cut, rest);
	check(&cut);
	for (size_t i = 0; i < input.n; i++)
		(void)clamd_next(&bytes, span_of(input.p + i, 1));
	check(&bytes);
	if (whole.reply != cut.reply || whole.reply != bytes.reply || !span_equal(whole.text, bytes.text) || !span_equal(whole.text, cut.text))
		abort();
	return 0;
}
