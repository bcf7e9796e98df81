/* Messages between shim and inspector. The first byte chooses the kind, the second what was asked; what is accepted is checked once more, by other means. */
#include <stdint.h>
#include <stdlib.h>

#include "proto/inspector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size)
{
	size_t n = strnlen(text, size);
	if (n == size)
		abort();
	for (size_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~')
			abort();
}

static void check_answer(struct span message, unsigned need)
{
	struct inspector_question asked = { .number = 1, .need = need };
	struct inspector_answer answer;
	if (!inspector_answer_read(&answer, message, &asked))
		return;
	if (answer.number != 1 || answer.finding.known != need || answer.finding.unscannable > UNSCANNABLE_ALL)
		abort();
	check_text(answer.finding.type, sizeof(answer.finding.type));
	check_text(answer.finding.virus, sizeof(answer.finding.virus));
	check_text(answer.finding.detail, sizeof(answer.finding.detail));
	if ((need & FACT_TYPE) && answer.finding.type[0] == '\0' && answer.finding.unscannable == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct span message = span_of(data + 2, size - 2);
	struct inspector_hello hello;
	struct inspector_question question;
	if (data[0] % 3 == 0 && inspector_hello_read(&hello, message) && (hello.version != INSPECTOR_VERSION || message.n != sizeof(hello)))
		abort();
	if (data[0] % 3 == 1 && inspector_question_read(&question, message) && (question.need == 0 || question.need > 3 || question.timeout == 0 || question.number == 0))
		abort();
	if (data[0] % 3 == 2)
		check_answer(message, data[1] % 3 + 1);
	return 0;
}
