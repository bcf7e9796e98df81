"""What a refusal looks like to a client, whoever words it."""
import re

LINE = re.compile(rb'\A([\x01\x02])([^\x00-\x1f\x7f]{1,125})\n\Z')


def is_refusal(line):
    """One reply that refuses: code byte, readable text, one line end, short enough for every client."""
    match = LINE.match(line)
    if not match or len(line) > 126:
        return False
    try:
        text = match[2].decode('utf-8')
    except UnicodeDecodeError:
        return False
    return not re.search('[\x80-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]', text)


def ref(text):
    """The incident's reference in a message, or None."""
    match = re.search(rb'\(ref ([0-9a-f]+-[0-9]+)\)', text)
    return match and match[1].decode()
