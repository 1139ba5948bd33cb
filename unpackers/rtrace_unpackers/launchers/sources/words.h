/* Lines of words for a person, each written as a whole where it is not too long. */

struct words {
    int descriptor, size;
    char text[4096];
};

static void write_all(int descriptor, const char *text, long size)
{
    while (size > 0) {
        long written = call(WRITE, descriptor, (long)text, size, 0);
        if (written == -EINTR)
            continue;
        if (written <= 0)
            return;
        text += written;
        size -= written;
    }
}

static void flush_words(struct words *words)
{
    write_all(words->descriptor, words->text, words->size);
    words->size = 0;
}

static void put_character(struct words *words, char character)
{
    if (words->size == sizeof words->text)
        flush_words(words);
    words->text[words->size++] = character;
}

static void put(struct words *words, const char *text)
{
    while (*text)
        put_character(words, *text++);
}

/* End a line. */
static void end_line(struct words *words)
{
    put_character(words, '\n');
    flush_words(words);
}

/* Put what somebody typed, without what a terminal would obey. */
static void put_plain(struct words *words, const char *text)
{
    for (; *text; text++)
        put_character(words, *text >= ' ' && *text < 0x7f ? *text : '?');
}

/* Put a number; without a library, processors of 32 bits cannot divide one of 64. */
static void put_number(struct words *words, unsigned long long number)
{
    unsigned long long powers[20];
    int place = 0;
    powers[0] = 1;
    while (place < 19 && powers[place] <= number)
        powers[place + 1] = powers[place] * 10, place++;
    if (place && powers[place] > number)
        place--;
    for (; place >= 0; place--) {
        char digit = '0';
        for (; number >= powers[place]; number -= powers[place])
            digit++;
        put_character(words, digit);
    }
}

static void put_mode(struct words *words, unsigned mode)
{
    put_character(words, '0');
    for (int shift = 6; shift >= 0; shift -= 3)
        put_character(words, '0' + (mode >> shift & 7));
}
