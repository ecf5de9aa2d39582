#include "aws/words.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Inside "...", a backslash means something before these only. */
static bool is_special(char c)
{
	return c == '"' || c == '\\' || c == '$' || c == '`';
}

/* Adds the word at line; what is behind it, or NULL if a quote has no end. */
static const char *take_word(const char *line, struct buf *word)
{
	char quote = 0;

	for (; *line && (quote || !is_space(*line)); line++) {
		if (quote ? *line == quote : *line == '"' || *line == '\'') {
			quote = quote ? 0 : *line;
			continue;
		}
		if (*line == '\\' && quote != '\'' && (!quote || is_special(line[1]))) {
			if (!*++line)
				return NULL;
		}
		buf_add_char(word, *line);
	}
	return quote ? NULL : line;
}

char **words_split(const char *line, struct err *e)
{
	char **words = mem_array(WORDS_MAX + 1, sizeof(*words));
	struct buf word;
	size_t n = 0;

	if (strlen(line) > WORDS_MAX_BYTES) {
		err_set(e, ERR_CREDENTIALS, "a command of more than %d bytes", WORDS_MAX_BYTES);
		goto fail;
	}
	for (;;) {
		while (is_space(*line))
			line++;
		if (!*line)
			break;
		if (n == WORDS_MAX) {
			err_set(e, ERR_CREDENTIALS, "a command of more than %d words", WORDS_MAX);
			goto fail;
		}
		buf_init_secret(&word, WORDS_MAX_BYTES);
		line = take_word(line, &word);
		words[n++] = mem_strdup(buf_cstr(&word));
		buf_free(&word);
		if (!line) {
			err_set(e, ERR_CREDENTIALS, "a quote in the command does not end");
			goto fail;
		}
	}
	if (n > 0)
		return words;
	err_set(e, ERR_CREDENTIALS, "an empty command");
fail:
	words_free(words);
	return NULL;
}

void words_free(char **words)
{
	for (char **w = words; w && *w; w++)
		mem_free_str_wipe(*w);
	free(words);
}
