"""Makes one large XML backup: large-xml.py confluence|jira MEGABYTES [BYTES OF TEXT IN A RECORD] > entities.xml.

With 0 bytes of text the records are as small as they come, which is the worst case for the memory that joining them needs.
One record in 50,000 holds a made-up password.
"""

import random
import sys

kind, size, length = sys.argv[1], int(sys.argv[2]) * 1_000_000, int((sys.argv + ["0"])[3])
dice = random.Random(7)
words = "page server deploy the note of list backup team review host port and change window for release".split()
people = [f"{dice.getrandbits(128):032x}" for _ in range(500)]
written = 0


def put(text):
    """Writes and counts."""
    global written
    written += len(text)
    sys.stdout.write(text)


def text(number):
    """Words, and in one of many records a password."""
    shown = " ".join(dice.choices(words, k=max(2, length // 6)))
    return f"{shown} password = 'Zq{dice.getrandbits(60):x}!v'" if number % 50_000 == 7 else shown


def moment(number):
    """A time in the form of both."""
    return f"2024-{1 + number % 12:02}-{1 + number % 28:02} {number % 24:02}:{number % 60:02}:{number * 7 % 60:02}.{number % 1000:03}"


def confluence(number):
    """A page and its body."""
    key, body = 2 * number + 1_000_000, 2 * number + 1_000_001
    put(
        f'<object class="Page" package="com.atlassian.confluence.pages">\n<id name="id">{key}</id>\n'
        f'<property name="title"><![CDATA[{dice.choice(words)} {number}]]></property>\n'
        f'<property name="creator" class="ConfluenceUserImpl" package="com.atlassian.confluence.user"><id name="key"><![CDATA[{dice.choice(people)}]]></id>\n</property>\n'
        f'<property name="creationDate">{moment(number)}</property>\n</object>\n'
        f'<object class="BodyContent" package="com.atlassian.confluence.core">\n<id name="id">{body}</id>\n'
        f'<property name="body"><![CDATA[<p>{text(number)}</p>]]></property>\n'
        f'<property name="content" class="Page" package="com.atlassian.confluence.pages"><id name="id">{key}</id>\n</property>\n'
        f'<property name="bodyType">2</property>\n</object>\n'
    )


def jira(number):
    """An issue, a change and a comment."""
    key, who = number + 10_000, dice.choice(people)[:8]
    put(f'    <Issue id="{key}" key="OPS-{number}" reporter="{who}" created="{moment(number)}" summary="{text(number)}"/>\n')
    put(f'    <ChangeGroup id="{key}" issue="{key}" author="{who}" created="{moment(number)}"/>\n')
    put(f'    <ChangeItem id="{key}" group="{key}" field="status" oldstring="Open" newstring="Done"/>\n')
    if length:
        put(f'    <Action id="{key}" issue="{key}" author="{who}" type="comment" body="{text(number)}" created="{moment(number)}"/>\n')


one, (first, last) = {
    "confluence": (confluence, ('<?xml version="1.0" encoding="UTF-8"?>\n<hibernate-generic datetime="2024-05-01 10:00:00">\n', "</hibernate-generic>\n")),
    "jira": (jira, ('<?xml version="1.0" encoding="UTF-8"?>\n<entity-engine-xml>\n', "</entity-engine-xml>\n")),
}[kind]
put(first)
for person, name in enumerate(people):
    if kind == "confluence":
        put(f'<object class="ConfluenceUserImpl" package="com.atlassian.confluence.user">\n<id name="key"><![CDATA[{name}]]></id>\n<property name="name"><![CDATA[user{person}@harbourfinch.example]]></property>\n</object>\n')
    else:
        put(f'    <ApplicationUser id="{person}" userKey="{name[:8]}" lowerUserName="user{person}"/>\n    <User id="{person}" userName="user{person}" lowerUserName="user{person}" emailAddress="user{person}@harbourfinch.example" active="1"/>\n')
number = 0
while written < size:
    one(number)
    number += 1
put(last)
